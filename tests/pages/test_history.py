"""History in each of its states, for any parameters in its address."""

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from streamlit.testing.v1 import AppTest

from store.ledger import gaps
from store.models import Tick, utc_now
from store.prices import averages
from tests.pages import ledgers
from tests.pages.conftest import captions, chart, parts, warnings
from tests.support.events import alert, note
from tests.support.stored import append

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""The time of the first tick that `seeded` stores."""

HOUR_OF_TICKS = {"start": "2026-11-01T12:00Z", "end": "2026-11-01T13:00Z"}


@pytest.fixture
def seeded(database):
    """An hour of btc_usd, a tick a minute from 100.00 to 159.00, and before that a day of averages."""
    append(database, *(Tick("btc_usd", NOON + timedelta(minutes=minute), 100.0 + minute) for minute in range(60)))
    average(database, "btc_usd", range(-24, 0))
    return database


def average(database, index_name: str, hours: Iterable[int]) -> None:
    """Store averages over an hour, at these hours after noon."""
    with database.write() as cursor:
        averages.append(cursor, index_name, [(NOON + timedelta(hours=hour), 90.0) for hour in hours], 3600)


def measures(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def shown_range(page: AppTest) -> Any:
    """The wall-clock times at which the chart begins and ends."""
    return chart(page, "history")["figure"]["layout"]["xaxis"]["range"]


def test_before_anything_is_recorded_it_says_so(open_page):
    page = open_page("history")

    assert page.info[0].value.startswith("No ticks of BTC / USD from ")
    assert not page.metric
    assert not page.exception


def test_the_first_index_is_shown_over_a_day_as_a_line(open_page, database):
    now = utc_now()
    append(database, *(Tick("btc_usd", now - timedelta(hours=hour), 100.0 + hour) for hour in (0, 20, 30)))

    page = open_page("history")

    assert page.multiselect(key="index").value == ["btc_usd"]
    assert page.segmented_control(key="range").value == "1d"
    assert page.segmented_control(key="chart").value == "Line"
    assert measures(page)["Open"] == "120.00"
    assert measures(page)["Close"] == "100.00"
    assert not page.exception


def test_an_empty_range_names_the_range_in_which_the_index_is_recorded(open_page, seeded):
    page = open_page("history", range="15m")

    assert re.fullmatch(
        r"No ticks of BTC / USD from .+ to .+\. "
        r"BTC / USD is recorded from 31 Oct 2026, 12:00 to 1 Nov 2026, 12:59\.",
        page.info[0].value,
    )
    assert not page.exception


def test_a_range_in_the_address_is_shown_exactly_and_in_utc(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    assert page.segmented_control(key="range").value == "Exact"
    assert shown_range(page) == ["2026-11-01 12:00:00", "2026-11-01 13:00:00"]
    assert captions(page) == ["1 Nov 2026, 12:00 to 1 Nov 2026, 13:00, single ticks."]
    assert (page.datetime_input[0].value, page.datetime_input[1].value) == (
        datetime(2026, 11, 1, 12),  # noqa: DTZ001
        datetime(2026, 11, 1, 13),  # noqa: DTZ001
    )


def test_a_range_in_the_address_is_utc_in_every_time_zone(open_page, seeded):
    page = open_page("history", timezone="Asia/Kathmandu", **HOUR_OF_TICKS)

    assert shown_range(page) == ["2026-11-01 17:45:00", "2026-11-01 18:45:00"]
    assert captions(page) == ["1 Nov 2026, 17:45 to 1 Nov 2026, 18:45, single ticks."]
    assert page.query_params == {"start": "2026-11-01T12:00:00Z", "end": "2026-11-01T13:00:00Z"}


def test_the_switch_shows_the_chart_in_utc(open_page, seeded):
    page = open_page("history", timezone="Asia/Kathmandu", **HOUR_OF_TICKS)

    page.toggle(key="utc").set_value(True).run()

    assert shown_range(page) == ["2026-11-01 12:00:00", "2026-11-01 13:00:00"]
    assert page.datetime_input[0].value == datetime(2026, 11, 1, 12)  # noqa: DTZ001


def test_a_short_range_is_shown_to_the_second(open_page, seeded):
    page = open_page("history", start="2026-11-01T12:00:30Z", end="2026-11-01T12:10:30.5Z")

    assert captions(page)[0].startswith("1 Nov 2026, 12:00:30 to 1 Nov 2026, 12:10:30, single ticks.")


@pytest.mark.parametrize(
    "address",
    [
        {"start": "yesterday", "end": "today"},
        {"start": "2026-11-01T12:00Z", "end": ""},
        {"start": "2026-11-01T12:00Z"},
        {"range": "Exact", "end": "2026-11-01T12:00Z"},
        {"start": "2026-13-01", "end": "2026-11-02"},
        {"start": "0001-01-01T00:00+14:00", "end": "2026-11-02"},
    ],
    ids=["words", "an empty end", "no end", "no start", "month 13", "before all years"],
)
def test_a_bad_time_in_the_address_is_reported_in_one_line(open_page, database, address):
    append(database, Tick("btc_usd", utc_now(), 100.0))

    page = open_page("history", **address)

    assert warnings(page) == ["start and end in the address must be times such as 2026-11-22T18:00Z."]
    assert measures(page)["Close"] == "100.00"
    assert not page.exception


def test_a_range_that_ends_before_it_starts_is_reported_in_one_line(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100.0))

    page = open_page("history", start="2026-11-02", end="2026-11-01")

    assert warnings(page) == ["That range ends before it starts."]
    assert measures(page)["Close"] == "100.00"
    assert not page.exception


@pytest.mark.parametrize(
    ("start", "end", "timezone"),
    [
        ("0001-01-01", "9999-12-31", "Pacific/Kiritimati"),
        ("0001-01-01", "9999-12-31", "Pacific/Niue"),
        ("1990-01-01", "1991-01-01", "Pacific/Niue"),
        ("2200-01-01", "2300-01-01", "Pacific/Kiritimati"),
    ],
)
def test_a_range_far_from_any_record_is_shown_without_an_error(open_page, seeded, start, end, timezone):
    page = open_page("history", timezone=timezone, start=start, end=end)

    assert warnings(page) == []
    assert len(page.metric) > 0 or page.info[0].value.startswith("No ticks of BTC / USD from ")
    assert not page.exception


@pytest.mark.parametrize(
    "address",
    [{"index": "nope_usd", "range": "nope", "chart": "nope", "bars": "nope", "utc": "nope"}, {"bars": "5000d"}],
    ids=["words", "too long"],
)
def test_impossible_choices_in_the_address_are_ignored(open_page, database, address):
    append(database, Tick("btc_usd", utc_now(), 100.0))

    page = open_page("history", **address)

    assert page.multiselect(key="index").value == ["btc_usd"]
    assert page.segmented_control(key="range").value == "1d"
    assert page.segmented_control(key="chart").value == "Line"
    assert page.selectbox(key="bars").value == "Auto"
    assert measures(page)["Close"] == "100.00"
    assert not page.exception


def test_without_an_index_the_page_asks_for_one(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.multiselect(key="index").set_value([]).run()

    assert [box.value for box in page.info] == ["Choose an index."]
    assert not page.metric
    assert not page.exception


def test_one_index_has_its_measures(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    found = measures(page)
    assert [found[name] for name in ("Open", "High", "Low", "Close")] == ["100.00", "159.00", "100.00", "159.00"]
    assert re.fullmatch(r"[\d,]+\.\d %", found["Realised volatility"])
    (change,) = (label for label in found if label.startswith("Change"))
    assert (change, found[change]) == ("Change, up", "+59.00 %")


def test_a_range_without_returns_has_no_volatility(open_page, seeded):
    page = open_page("history", start="2026-11-01T12:00Z", end="2026-11-01T12:02Z")

    assert measures(page)["Realised volatility"] == "—"


def test_several_indexes_are_drawn_on_one_scale_with_a_table_of_measures(open_page, seeded):
    append(seeded, *(Tick("eth_usd", NOON + timedelta(minutes=minute), 4000.0 - minute) for minute in range(60)))

    page = open_page("history", index=["btc_usd", "eth_usd"], chart="Candles", **HOUR_OF_TICKS)

    assert [trace["name"] for trace in chart(page, "history")["figure"]["data"]] == ["BTC / USD", "ETH / USD"]
    assert parts(page, "history") == ["line", "line"]
    assert not page.metric
    (table,) = page.dataframe
    assert list(table.value["Index"]) == ["BTC / USD", "ETH / USD"]
    assert list(table.value["Open"]) == ["100.00", "4,000.00"]
    assert list(table.value["Change"]) == ["+59.00 %", "-1.48 %"]
    assert not page.exception


def test_an_index_without_ticks_in_the_range_does_not_keep_the_others_from_being_shown(open_page, seeded):
    append(seeded, Tick("eth_usd", NOON + timedelta(days=3), 4000.0))

    page = open_page("history", index=["btc_usd", "eth_usd"], table="true", **HOUR_OF_TICKS)

    assert [trace["name"] for trace in chart(page, "history")["figure"]["data"]] == ["BTC / USD"]
    assert "ETH / USD is recorded since 4 Nov 2026, 12:00." in captions(page)[0]
    assert page.dataframe[0].value["Index"].tolist() == ["BTC / USD"]
    assert page.dataframe[0].value["Close"].tolist() == ["159.00"]
    assert not page.exception


def test_measures_in_part_of_averages_say_so(open_page, seeded):
    page = open_page("history", start="2026-10-31T12:00Z", end="2026-11-01T13:00Z")

    assert captions(page)[1].startswith("Some bars are averages over up to 1 h: ")


def test_measures_leave_out_what_lies_beyond_the_range(open_page, database):
    day = 86_400
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(NOON + timedelta(days=n), 100.0 + n) for n in range(4)], day)

    page = open_page("history", start="2026-11-02T00:00Z", end="2026-11-03T18:00Z")

    assert chart(page, "history")["figure"]["data"][0]["x"][0].startswith("2026-11-01")
    assert (measures(page)["Open"], measures(page)["Close"]) == ("101.00", "102.00")


def test_history_that_begins_within_the_range_says_since_when_it_is_recorded(open_page, seeded):
    page = open_page("history", start="2026-10-31T11:00Z", end="2026-11-01T13:00Z")

    assert captions(page)[0].endswith("BTC / USD is recorded since 31 Oct 2026, 12:00.")


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

    page.segmented_control(key="range").set_value("1y").run()

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


def test_zooming_out_of_an_exact_range_doubles_it(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.button[0].click().run()

    assert shown_range(page) == ["2026-11-01 11:30:00", "2026-11-01 13:30:00"]
    assert page.query_params["start"] == "2026-11-01T11:30:00Z"
    assert page.query_params["end"] == "2026-11-01T13:30:00Z"


def test_an_end_of_the_range_can_be_typed_in_the_time_of_the_visitor(open_page, seeded):
    page = open_page("history", timezone="Asia/Kathmandu", **HOUR_OF_TICKS)

    page.datetime_input[0].set_value(datetime(2026, 11, 1, 18)).run()  # noqa: DTZ001

    assert shown_range(page) == ["2026-11-01 18:00:00", "2026-11-01 18:45:00"]
    assert page.query_params["start"] == "2026-11-01T12:15:00Z"
    assert measures(page)["Open"] == "115.00"


def test_an_end_typed_before_the_start_is_reported_and_the_range_stays(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.datetime_input[1].set_value(datetime(2026, 10, 1)).run()  # noqa: DTZ001

    assert warnings(page) == ["That range ends before it starts."]
    assert shown_range(page) == ["2026-11-01 12:00:00", "2026-11-01 13:00:00"]
    assert not page.exception


@pytest.mark.parametrize("span", ["All", "1d"])
def test_leaving_an_exact_range_takes_it_out_of_the_address(open_page, seeded, span):
    page = open_page("history", **HOUR_OF_TICKS)

    page.segmented_control(key="range").set_value(span).run()

    assert page.segmented_control(key="range").value == span
    assert not {"start", "end"} & set(page.query_params)


def test_all_begins_with_the_first_row(open_page, seeded):
    page = open_page("history", range="All")

    assert shown_range(page)[0] == "2026-10-31 12:00:00"


def test_the_chart_is_described_and_zooms(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    drawn = chart(page, "history")
    assert drawn["alt"] == (
        "BTC / USD from 1 Nov 2026, 12:00 to 1 Nov 2026, 12:59: up 59.00 % from 100.00 to 159.00, "
        "low 100.00, high 159.00."
    )
    assert drawn["zooms"] is True


def test_where_the_script_of_the_chart_is_not_served_streamlits_own_chart_replaces_it(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.session_state["plotly is not served"] = True
    page.run()

    (plain,) = page.get("plotly_chart")
    assert "BTC / USD" in json.loads(plain.proto.spec)["data"][0]["name"]
    assert not page.get("bidi_component")
    assert not page.exception


@pytest.mark.parametrize("drawn", ["Line", "Candles"])
def test_gaps_are_marked_and_described(open_page, seeded, drawn):
    with seeded.write() as cursor:
        gaps.note(
            cursor,
            [
                ledgers.gap(600, 300, "healed"),
                ledgers.gap(1800, 60),
                ledgers.gap(1200, 60, feed="eth_usd"),
                ledgers.gap(-600, 300),
            ],
            NOON,
        )

    page = open_page("history", chart=drawn, **HOUR_OF_TICKS)

    marks = {each["meta"]["part"]: each for each in chart(page, "history")["figure"]["data"] if each["type"] == "bar"}
    assert {part: len(each["hovertext"]) for part, each in marks.items()} == {"healed": 1, "missing": 1}
    assert captions(page)[0].endswith("1 gap of 1 min is open; 1 gap of 5 min is healed with 6 s averages.")


def test_gaps_of_each_shown_index_are_described(open_page, seeded):
    append(seeded, *(Tick("eth_usd", NOON + timedelta(minutes=minute), 100.0 + minute) for minute in range(60)))
    with seeded.write() as cursor:
        gaps.note(cursor, [ledgers.gap(600), ledgers.gap(600, feed="eth_usd")], NOON)

    page = open_page("history", index=["btc_usd", "eth_usd"], **HOUR_OF_TICKS)

    assert "2 gaps of 10 min in all are open." in captions(page)[0]


def test_a_range_within_a_gap_says_so(open_page, seeded):
    with seeded.write() as cursor:
        gaps.note(cursor, [ledgers.gap(3600, 1800)], NOON)

    page = open_page("history", start="2026-11-01T13:05Z", end="2026-11-01T13:20Z")

    assert page.info[0].value.endswith("1 gap of 30 min is open.")


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


def marks(page: AppTest) -> list[tuple[str, list[Any], list[float]]]:
    """The marks of alerts by severity, with their times and prices."""
    drawn = [trace for trace in chart(page, "history")["figure"]["data"] if trace["meta"]["part"] == "alert"]
    return [(trace["meta"]["severity"], trace["x"], trace["y"]) for trace in drawn]


@pytest.mark.parametrize("drawn", ["Line", "Candles"])
def test_alerts_are_marked_where_the_price_was(open_page, seeded, drawn):
    at = NOON + timedelta(minutes=10)
    note(
        seeded,
        alert(at=at, price=110.0),
        alert(at=at, price=110.0, severity="info"),
        alert(at=at, price=7.0, index_name="eth_usd"),
        alert(at=NOON - timedelta(hours=3), price=90.0),
    )

    page = open_page("history", chart=drawn, **HOUR_OF_TICKS)

    when = [at.replace(tzinfo=None).isoformat()]
    assert marks(page) == [("info", when, [110.0]), ("critical", when, [110.0])]
    assert "2 alerts." in captions(page)[0]


def test_among_several_indexes_an_alert_is_marked_on_their_scale(open_page, seeded):
    append(seeded, *(Tick("eth_usd", NOON + timedelta(minutes=minute), 50.0 + minute) for minute in range(60)))
    note(seeded, alert(at=NOON + timedelta(minutes=10), price=60.0, index_name="eth_usd"))

    page = open_page("history", index=["btc_usd", "eth_usd"], **HOUR_OF_TICKS)

    assert [y for _, _, y in marks(page)] == [[pytest.approx(120)]]


def test_only_the_newest_of_very_many_alerts_are_marked(open_page, seeded):
    note(seeded, *(alert(at=NOON + timedelta(seconds=second), price=100.0) for second in range(250)))

    page = open_page("history", **HOUR_OF_TICKS)

    ((_, when, _),) = marks(page)
    assert len(when) == 200
    assert min(when) == (NOON + timedelta(seconds=50)).replace(tzinfo=None).isoformat()
    assert "The newest 200 alerts are marked." in captions(page)[0]
