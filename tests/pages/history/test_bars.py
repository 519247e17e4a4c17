"""The bars of History: their lengths, averages among them, and the table of them."""

from datetime import timedelta
from urllib.parse import parse_qs

from store.models import Tick, utc_now
from tests.pages.conftest import captions, chart, parts
from tests.pages.history.conftest import HOUR_OF_TICKS
from tests.support.stored import append


def test_averages_are_a_line_of_their_own_and_mentioned_in_words(open_page, seeded):
    page = open_page("history", start="2026-10-31T12:00Z", end="2026-11-01T13:00Z")

    assert parts(page, "history") == ["line", "averages"]
    assert "Dashed: averages over up to 1 h, from the exchange's own history." in captions(page)[0]
    assert "averages in part" in chart(page, "history")["alt"]


def test_candles_say_that_averages_are_not_candles(open_page, seeded):
    page = open_page("history", chart="Candles", bars="1h", start="2026-10-31T12:00Z", end="2026-11-01T13:00Z")

    assert parts(page, "history") == ["candles", "averages"]
    assert len(chart(page, "history")["figure"]["data"][0]["x"]) == 1
    assert (
        "Dashed: averages over up to 1 h, from the exchange's own history; "
        "they have no high and low, so they are not candles."
    ) in captions(page)[0]


def test_observed_ticks_have_no_words_about_averages(open_page, seeded):
    page = open_page("history", chart="Candles", **HOUR_OF_TICKS)

    assert parts(page, "history") == ["candles"]
    assert "averages" not in captions(page)[0]


def test_bars_can_be_chosen(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.selectbox(key="bars").set_value("15m").run()

    assert captions(page)[0] == "1 Nov 2026, 12:00 to 1 Nov 2026, 13:00, bars of 15 min."
    assert len(chart(page, "history")["figure"]["data"][-1]["x"]) == 4


def test_a_bar_length_that_does_not_suit_a_new_range_is_replaced(open_page, seeded):
    page = open_page("history", bars="1s", **HOUR_OF_TICKS)

    page.segmented_control(key="range 0").set_value("1y").run()

    assert page.selectbox(key="bars").value == "Auto"
    assert not page.exception


def test_the_table_has_the_drawn_bars_once_it_is_opened(open_page, seeded):
    address = {"start": "2026-11-01T10:00Z", "end": "2026-11-01T12:03Z"}
    page = open_page("history", timezone="Asia/Kathmandu", **address)
    closed = len(page.dataframe)

    page.session_state["table"] = True
    page.run()

    (table,) = page.dataframe
    rows = table.value
    assert closed == 0
    assert list(rows["Time, Asia/Kathmandu"]) == [
        "2026-11-01 15:45:00",
        "2026-11-01 16:45:00",
        "2026-11-01 17:45:00",
        "2026-11-01 17:46:00",
        "2026-11-01 17:47:00",
    ]
    assert list(rows["Close"]) == [90.0, 90.0, 100.0, 101.0, 102.0]
    assert list(rows["Average over, s"].fillna(0)) == [3600, 3600, 0, 0, 0]
    assert set(rows["Index"]) == {"BTC / USD"}


def test_the_drawn_bars_can_be_downloaded(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS, bars="5m")

    asked = [parse_qs(link.proto.url.partition("?")[2]) for link in page.get("link_button")]
    assert [each["format"] for each in asked] == [["parquet"], ["csv"], ["xlsx"]]
    assert asked[0]["interval"] == ["5m"]
    assert (asked[0]["start"], asked[0]["end"]) == (["2026-11-01T12:00:00Z"], ["2026-11-01T13:00:00Z"])


def test_single_ticks_are_downloaded_as_ticks(open_page, seeded):
    page = open_page("history", start="2026-11-01T12:00Z", end="2026-11-01T12:05Z")

    asked = parse_qs(page.get("link_button")[0].proto.url.partition("?")[2])
    assert "interval" not in asked
    assert asked["ticker"] == ["btc_usd"]


def test_where_routes_are_not_served_the_drawn_bars_go_through_memory(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)
    page.session_state["plotly is not served"] = True
    page.run()

    assert [button.proto.label for button in page.get("download_button")] == ["Parquet", "CSV", "Excel"]


def test_all_of_a_young_record_offers_short_bars(open_page, database):
    append(database, *(Tick("btc_usd", utc_now() - timedelta(seconds=second), 100.0) for second in range(60)))

    page = open_page("history", range="All")

    assert page.selectbox(key="bars").options[:3] == ["Auto", "1s", "2s"]
