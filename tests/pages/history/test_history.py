"""History in each of its states: the indexes it shows, and their measures."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from store.models import Tick, utc_now
from store.prices import averages
from tests.pages.conftest import captions, chart, format_of, parts
from tests.pages.history.conftest import HOUR_OF_TICKS, NOON, measures
from tests.support.stored import append


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
    assert page.segmented_control(key="range 0").value == "1d"
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
    assert list(table.value["Open"]) == [100.0, 4000.0]
    assert list(table.value["Change"]) == [59.0, -1.48]
    assert [format_of(table, name) for name in ("Open", "Change")] == ["%,.2f", "%.2f %%"]
    assert "Each index is 100 at its first tick." in captions(page)[0]
    assert not page.exception


def test_an_index_without_ticks_in_the_range_does_not_keep_the_others_from_being_shown(open_page, seeded):
    append(seeded, Tick("eth_usd", NOON + timedelta(days=3), 4000.0))

    page = open_page("history", index=["btc_usd", "eth_usd"], table="true", **HOUR_OF_TICKS)

    assert [trace["name"] for trace in chart(page, "history")["figure"]["data"]] == ["BTC / USD"]
    assert "ETH / USD is recorded since 4 Nov 2026, 12:00." in captions(page)[0]
    assert page.dataframe[0].value["Index"].tolist() == ["BTC / USD"]
    assert page.dataframe[0].value["Close"].tolist() == [159.0]
    assert not page.exception


def test_the_hour_that_clocks_repeat_is_drawn_once_and_the_chart_says_its_offset(open_page, database):
    back = datetime(2026, 10, 25, 1, tzinfo=UTC)
    append(database, *(Tick("btc_usd", back + timedelta(minutes=10 * n), 100.0 + n) for n in range(-6, 6)))

    page = open_page("history", timezone="Europe/Berlin", start="2026-10-25T00:00Z", end="2026-10-25T02:00Z")
    page.session_state["table"] = True
    page.run()

    figure = chart(page, "history")["figure"]
    assert figure["layout"]["xaxis"]["range"] == ["2026-10-25 01:00:00", "2026-10-25 03:00:00"]
    (line,) = (trace for trace in figure["data"] if trace["meta"]["part"] == "line")
    assert line["x"] == sorted(line["x"])
    assert "25 Oct 2026, 01:00 to 25 Oct 2026, 03:00" in captions(page)[0]
    assert "times of the chart are UTC+1." in captions(page)[0]
    times = list(page.dataframe[0].value["Time, Europe/Berlin"])
    assert (times[0], times[6]) == ("2026-10-25 02:00:00 UTC+2", "2026-10-25 02:00:00 UTC+1")
    assert len(set(times)) == 12


@pytest.mark.parametrize(("price", "shown"), [(0.00001234, "%,.10f"), (0.52345, "%,.6f"), (97_010.0, "%,.2f")])
def test_the_table_shows_the_digits_of_small_prices(open_page, database, price, shown):
    append(database, Tick("btc_usd", NOON, price))

    page = open_page("history", **HOUR_OF_TICKS)
    page.session_state["table"] = True
    page.run()

    assert format_of(page.dataframe[0], "Close") == shown


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


def test_a_range_within_an_average_has_the_measures_of_that_average_alone(open_page, database):
    minute = timedelta(minutes=1)
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(NOON + n * minute, 100.0 + n) for n in range(4)], 60)

    page = open_page("history", start="2026-11-01T12:01:20Z", end="2026-11-01T12:01:40Z")

    assert {measures(page)[part] for part in ("Open", "High", "Low", "Close")} == {"101.00"}
    assert measures(page)["Change"] == "0.00 %"


def test_an_average_that_begins_where_the_range_ends_is_not_of_the_range(open_page, database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(NOON, 100.0)], 60)

    page = open_page("history", start="2026-11-01T11:00Z", end="2026-11-01T12:00Z")

    assert page.info[0].value.startswith("No ticks of BTC / USD from 1 Nov 2026, 11:00 to 1 Nov 2026, 12:00.")
    assert not page.metric


def test_history_that_begins_within_the_range_says_since_when_it_is_recorded(open_page, seeded):
    page = open_page("history", start="2026-10-31T11:00Z", end="2026-11-01T13:00Z")

    assert captions(page)[0].endswith("BTC / USD is recorded since 31 Oct 2026, 12:00.")


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
    spec = json.loads(plain.proto.spec)
    assert "BTC / USD" in spec["data"][0]["name"]
    assert plain.proto.theme == ""
    assert spec["data"][0]["line"]["color"] == "#0f67b1"
    assert [each.key for each in page.get("bidi_component")] == ["pulse"]
    assert not page.exception
