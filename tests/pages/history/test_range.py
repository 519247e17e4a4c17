"""The range of History: in its address, typed, zoomed and kept."""

from datetime import datetime, timedelta

import pytest

from store.models import Tick, utc_now
from tests.pages.conftest import captions, recorder, warnings
from tests.pages.history.conftest import HOUR_OF_TICKS, NOON, measures, shown_range
from tests.support.stored import append


def test_a_range_in_the_address_is_shown_exactly_and_in_utc(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    assert page.segmented_control(key="range 0").value == "Exact"
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
    assert page.segmented_control(key="range 0").value == "1d"
    assert page.segmented_control(key="chart").value == "Line"
    assert page.selectbox(key="bars").value == "Auto"
    assert measures(page)["Close"] == "100.00"
    assert not page.exception


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


@pytest.mark.parametrize(("hour", "then"), [(0, "00:50"), (1, "01:50")])
def test_a_time_typed_in_the_hour_that_clocks_show_twice_stays_in_the_shown_one_of_both(open_page, seeded, hour, then):
    shown = {"start": "2026-10-24T22:00Z", "end": f"2026-10-25T{hour:02}:40Z"}
    page = open_page("history", timezone="Europe/Lisbon", **shown)

    page.datetime_input[1].set_value(datetime(2026, 10, 25, 1, 50)).run()  # noqa: DTZ001

    assert page.query_params["end"] == f"2026-10-25T{then}:00Z"


def test_an_end_typed_before_the_start_is_reported_and_the_range_stays(open_page, seeded):
    page = open_page("history", **HOUR_OF_TICKS)

    page.datetime_input[1].set_value(datetime(2026, 10, 1)).run()  # noqa: DTZ001

    assert warnings(page) == ["That range ends before it starts."]
    assert shown_range(page) == ["2026-11-01 12:00:00", "2026-11-01 13:00:00"]
    assert not page.exception


@pytest.mark.parametrize("span", ["All", "1d"])
def test_leaving_an_exact_range_takes_it_out_of_the_address(open_page, seeded, span):
    page = open_page("history", **HOUR_OF_TICKS)

    page.segmented_control(key="range 0").set_value(span).run()

    assert page.segmented_control(key="range 0").value == span
    assert not {"start", "end"} & set(page.query_params)


def test_all_begins_with_the_first_row(open_page, seeded):
    page = open_page("history", range="All")

    assert shown_range(page)[0] == "2026-10-31 12:00:00"


def test_a_past_range_that_was_empty_shows_what_fills_it(open_page, seeded):
    page = open_page("history", start="2026-10-20T12:00Z", end="2026-10-20T13:00Z")
    empty = page.info[0].value
    append(seeded, *(Tick("btc_usd", NOON - timedelta(days=12, minutes=-minute), 100.0) for minute in range(60)))

    with recorder(seeded, skew_s=10):  # ten seconds later
        page.run()

    assert empty.startswith("No ticks of BTC / USD")
    assert measures(page)["Close"] == "100.00"


def test_a_refresh_with_the_address_of_before_does_not_change_the_range(open_page, seeded):
    page = open_page("history", range="1d")
    page.segmented_control(key="range 0").set_value("1w").run()
    page.query_params.clear()
    page.query_params["range"] = "1d"

    page.run()

    assert page.segmented_control(key="range 0").value == "1w"
    assert page.query_params["range"] == "1w"


def test_exact_begins_with_the_range_that_was_shown(open_page, database):
    now = utc_now().replace(microsecond=0)
    append(database, *(Tick("btc_usd", now - timedelta(minutes=minute), 100.0) for minute in range(60)))
    page = open_page("history", range="1h")
    shown = shown_range(page)

    page.segmented_control(key="range 0").set_value("Exact").run()

    assert shown_range(page) == shown
    assert {"range", "start", "end"} <= set(page.query_params)


def test_nothing_to_zoom_out_of_is_offered_without_an_index(open_page, seeded):
    page = open_page("history", index="", range="Exact", **HOUR_OF_TICKS)

    (button,) = page.button
    assert (button.label, button.disabled) == ("Zoom out", True)
    assert [box.value for box in page.info] == ["Choose an index."]
    assert not page.exception


def test_a_range_that_could_not_be_read_can_be_zoomed_out_of(open_page, seeded):
    with seeded.write() as cursor:
        cursor.execute("ALTER TABLE candles_1h RENAME TO away")
    page = open_page("history", **HOUR_OF_TICKS)

    page.button[0].click().run()

    assert page.query_params["start"] == "2026-11-01T11:30:00Z"
    assert not page.exception
