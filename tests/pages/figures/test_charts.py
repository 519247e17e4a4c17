"""Charts show what was observed, mark what was averaged, and leave out what is missing."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from pages.common.figures import charts, scales
from pages.common.words.clock import Clock
from tests.pages.frames import MINUTE, START, frame

BERLIN = ZoneInfo("Europe/Berlin")
WINTER = timezone(timedelta(hours=1))
HALF_HOUR = timedelta(minutes=30)

Points = list[tuple[str, float | None]]
"""Times of the day, and prices; None breaks a line."""


def traces(figure: go.Figure) -> dict[str, Any]:
    """The traces by their `part`."""
    return {trace.meta["part"]: trace for trace in figure.data}


def points(trace: Any) -> Points:
    return [(str(at)[11:19], None if np.isnan(y) else y) for at, y in zip(trace.x, trace.y, strict=True)]


def clocks(trace: Any) -> list[str]:
    return [str(at)[11:19] for at in trace.x]


def line_of(*closes: float | None, **more: Any) -> dict[str, Any]:
    return traces(charts.price_line(frame(*closes, **more), "btc_usd", MINUTE, UTC))


def candles_of(*closes: float | None, **more: Any) -> dict[str, Any]:
    return traces(charts.candles(frame(*closes, **more), "btc_usd", MINUTE, UTC))


def rebased(bars: dict[str, pd.DataFrame]) -> go.Figure:
    return charts.rebased(bars, scales.at_100(bars), MINUTE, UTC)


def test_a_line_goes_through_the_closes():
    drawn = line_of(100.0, 101.0, 99.0)

    assert list(drawn) == ["line"]
    assert points(drawn["line"]) == [("12:00:00", 100.0), ("12:01:00", 101.0), ("12:02:00", 99.0)]
    assert drawn["line"].name == "BTC / USD"
    assert drawn["line"].mode == "lines"


def test_a_gap_breaks_the_line_in_its_middle():
    drawn = line_of(100.0, 101.0, None, None, None, 99.0, 98.0)

    assert points(drawn["line"]) == [
        ("12:00:00", 100.0),
        ("12:01:00", 101.0),
        ("12:03:00", None),
        ("12:05:00", 99.0),
        ("12:06:00", 98.0),
    ]


@pytest.mark.parametrize(
    ("closes", "alone"),
    [
        ((100.0, 101.0, None, 5.0, None, 99.0, 98.0), [5.0]),
        ((5.0, None, 99.0, 98.0), [5.0]),
        ((99.0, 98.0, None, 5.0), [5.0]),
        ((5.0, None, 6.0, None, 7.0), [5.0, 6.0, 7.0]),
        ((5.0,), [5.0]),
    ],
    ids=["in the middle", "first", "last", "all", "only one"],
)
def test_a_bar_alone_between_gaps_is_a_dot(closes, alone):
    drawn = line_of(*closes)

    assert [y for _, y in points(drawn["alone"]) if y is not None] == alone
    assert drawn["alone"].mode == "markers"


def test_averages_are_a_line_of_their_own_that_meets_the_observed_one():
    drawn = line_of(100.0, 101.0, 102.0, 103.0, averaged=[0, 1])

    assert points(drawn["averages"]) == [("12:00:00", 100.0), ("12:01:00", 101.0), ("12:02:00", 102.0)]
    assert points(drawn["line"]) == [("12:02:00", 102.0), ("12:03:00", 103.0)]


def test_averages_amid_observed_bars_meet_them_on_both_sides():
    drawn = line_of(100.0, 101.0, 102.0, 103.0, averaged=[1, 2])

    assert points(drawn["averages"]) == [
        ("12:00:00", 100.0),
        ("12:01:00", 101.0),
        ("12:02:00", 102.0),
        ("12:03:00", 103.0),
    ]
    assert points(drawn["line"]) == [("12:00:00", 100.0), ("12:01:00", None), ("12:02:00", None), ("12:03:00", 103.0)]


def test_averages_do_not_reach_over_a_gap():
    drawn = line_of(100.0, 101.0, None, 103.0, 104.0, averaged=[0, 1])

    assert points(drawn["averages"]) == [("12:00:00", 100.0), ("12:01:00", 101.0)]
    assert points(drawn["line"]) == [("12:03:00", 103.0), ("12:04:00", 104.0)]


def test_the_names_of_averages_say_so():
    drawn = line_of(100.0, 101.0, 102.0, averaged=[0])

    assert (drawn["line"].name, drawn["averages"].name) == ("BTC / USD", "BTC / USD, averages")
    assert drawn["line"].legendgroup == drawn["averages"].legendgroup


def test_bars_of_averages_only_have_no_observed_line():
    assert list(line_of(100.0, 101.0, averaged=[0, 1])) == ["averages"]


def test_the_band_is_a_closed_shape_from_the_highs_back_along_the_lows():
    drawn = line_of(100.0, 101.0, spread=5.0)

    assert points(drawn["band"]) == [
        ("12:00:00", 105.0),
        ("12:01:00", 106.0),
        ("12:01:00", 96.0),
        ("12:00:00", 95.0),
        ("12:00:00", None),
    ]
    assert drawn["band"].fill == "toself"


def test_the_band_has_a_shape_for_each_stretch_of_observed_bars():
    drawn = line_of(100.0, 101.0, 102.0, None, 104.0, 105.0, 106.0, 107.0, averaged=[2, 6], spread=5.0)

    shapes: list[list[str]] = [[]]
    for at, y in points(drawn["band"]):
        if y is None:
            shapes.append([])
        else:
            shapes[-1].append(at[3:5])
    assert shapes == [["00", "01", "01", "00"], ["04", "05", "05", "04"], ["07", "07"], []]


@pytest.mark.parametrize(
    "more", [{"spread": 0.0}, {"spread": 5.0, "averaged": [0, 1]}], ids=["single ticks", "averages"]
)
def test_there_is_no_band_without_height_or_of_averages_only(more):
    assert "band" not in line_of(100.0, 101.0, **more)


def test_the_band_lies_below_the_line():
    assert list(line_of(100.0, 101.0, spread=5.0)) == ["band", "line"]


def test_candles_have_open_high_low_and_close_and_no_range_slider():
    drawn = charts.candles(frame(100.0, 101.0, spread=5.0), "btc_usd", MINUTE, UTC)

    candles = traces(drawn)["candles"]
    assert [list(candles[part]) for part in ("open", "high", "low", "close")] == [
        [100.0, 101.0],
        [105.0, 106.0],
        [95.0, 96.0],
        [100.0, 101.0],
    ]
    assert drawn.layout.xaxis.rangeslider.visible is False


def test_averages_are_not_candles_but_a_line_that_meets_them():
    drawn = candles_of(100.0, 101.0, 102.0, 103.0, averaged=[0, 1], spread=5.0)

    assert clocks(drawn["candles"]) == ["12:02:00", "12:03:00"]
    assert points(drawn["averages"]) == [("12:00:00", 100.0), ("12:01:00", 101.0), ("12:02:00", 102.0)]
    assert drawn["averages"].name == "BTC / USD, averages"
    assert set(drawn) == {"candles", "averages"}


def test_an_average_alone_is_a_dot_beside_the_candles_and_a_candle_alone_is_just_a_candle():
    drawn = candles_of(100.0, None, 101.0, None, 102.0, averaged=[2])

    assert len(drawn["candles"].x) == 2
    assert points(drawn["alone"]) == [("12:02:00", 101.0)]


def test_candles_of_observed_bars_have_no_line():
    assert list(candles_of(100.0, 101.0)) == ["candles"]


@pytest.mark.parametrize("build", [charts.price_line, charts.candles])
def test_a_chart_without_bars_can_be_drawn(build):
    figure = build(frame(), "btc_usd", MINUTE, UTC)

    assert all(not len(trace.x) for trace in traces(figure).values())


def test_several_indexes_are_100_each_at_its_first_tick():
    bars = {"btc_usd": frame(50_000.0, 55_000.0), "xrp_usd": frame(None, 2.0, 1.5)}

    figure = rebased(bars)

    btc, xrp = figure.data
    assert (btc.name, points(btc)) == ("BTC / USD", [("12:00:00", 100.0), ("12:01:00", pytest.approx(110.0))])
    assert (xrp.name, points(xrp)) == ("XRP / USD", [("12:01:00", 100.0), ("12:02:00", 75.0)])
    assert [shape.y0 for shape in figure.layout.shapes] == [100]


def test_a_line_ends_where_the_change_in_its_description_does():
    bars = {"btc_usd": frame(110.0, 120.0), "xrp_usd": frame(1.0)}
    bars["btc_usd"].loc[0, "open"] = 100.0

    btc = rebased(bars).data[0]

    assert btc.y[-1] == pytest.approx(120.0)
    assert "up 20.00 %" in charts.describe(bars, UTC)


def test_averages_before_the_range_do_not_set_the_scale():
    bars = {"btc_usd": frame(50.0, 100.0, 110.0, averaged=[0]), "xrp_usd": frame(1.0)}

    drawn = charts.rebased(bars, scales.at_100({"btc_usd": frame(100.0, 110.0), "xrp_usd": frame(1.0)}), MINUTE, UTC)

    assert next(trace for trace in drawn.data if trace.meta["part"] == "averages").y[0] == 50.0


def test_each_index_has_its_own_colour_and_its_averages_the_same_one():
    bars = {"btc_usd": frame(1.0, 2.0, 3.0, averaged=[0]), "eth_usd": frame(), "xrp_usd": frame(1.0, 2.0)}

    drawn = rebased(bars).data

    assert [(trace.meta["part"], trace.meta["series"]) for trace in drawn] == [
        ("line", 0),
        ("averages", 0),
        ("line", 1),
    ]


@pytest.mark.parametrize(("indexes", "legend", "hover"), [(10, True, "x unified"), (11, False, "closest")])
def test_more_than_ten_indexes_are_named_where_the_pointer_is(indexes, legend, hover):
    bars = {f"i{number}_usd": frame(1.0, 2.0) for number in range(indexes)}

    shown = rebased(bars).layout

    assert (shown.showlegend, shown.hovermode) == (legend, hover)


@pytest.mark.parametrize(
    ("start", "wall"),
    [
        (datetime(2026, 7, 1, 10, tzinfo=UTC), ["12:00:00", "12:30:00", "13:00:00"]),
        (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), ["02:30:00", "03:00:00", "03:30:00"]),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), ["01:30:00", "02:00:00", "02:30:00"]),
    ],
    ids=["summer", "clocks go forward", "clocks go back"],
)
def test_times_are_those_of_the_readers_clock_at_the_end_of_the_range(start, wall):
    bars = frame(100.0, 101.0, 102.0, start=start, interval=HALF_HOUR)
    clock = Clock.over(start, start + 3 * HALF_HOUR, BERLIN)

    drawn = traces(charts.price_line(bars, "btc_usd", HALF_HOUR, clock.zone))

    assert clocks(drawn["line"]) == wall


@pytest.mark.parametrize("length", [timedelta(minutes=15), timedelta(hours=1)], ids=["15m", "1h"])
@pytest.mark.parametrize(
    ("zone", "end"),
    [
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 5, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 10, 25, 1, 10, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 29, 1, 5, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, 5, tzinfo=UTC)),
        ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 35, tzinfo=UTC)),
    ],
)
def test_an_axis_is_as_long_as_its_range_when_clocks_change_and_says_its_offset(zone, end, length):
    figure = go.Figure()
    clock = Clock.over(end - length, end, ZoneInfo(zone))

    charts.set_range(figure, end - length, end, clock.zone)

    wall, offset = figure.layout.xaxis.range, figure.layout.meta["offset"]
    start_of_it, end_of_it = (datetime.fromisoformat(f"{at}{offset}") for at in wall)
    assert (start_of_it, end_of_it) == (end - length, end)
    assert clock.changes


def test_times_are_drawn_to_the_millisecond():
    bars = frame(100.0, 101.0, start=START + timedelta(microseconds=123_456))

    drawn = traces(charts.price_line(bars, "btc_usd", MINUTE, UTC))

    assert str(drawn["line"].x[0]) == "2026-11-01T12:00:00.123"


@pytest.mark.parametrize(
    ("price", "digits"),
    [(101_515.7, 2), (100.0, 2), (2.3456, 5), (0.00001234, 10)],
    ids=["BTC", "SOL", "XRP", "SHIB"],
)
def test_prices_have_digits_that_suit_their_size(price, digits):
    bars = frame(price, price, averaged=[0])
    figure = charts.price_line(bars, "any_usd", MINUTE, UTC)
    candles = traces(charts.candles(bars, "any_usd", MINUTE, UTC))

    assert figure.layout.yaxis.tickformat == f",.{digits}~f"
    assert candles["candles"].yhoverformat == f",.{digits}f"
    assert traces(figure)["averages"].meta["digits"] == candles["candles"].meta["digits"] == digits
    assert (
        traces(figure)["averages"].hovertemplate
        == candles["averages"].hovertemplate
        == f"%{{y:,.{digits}f}}<extra>%{{fullData.name}}</extra>"
    )


@pytest.mark.parametrize(("interval", "clock"), [(timedelta(0), "%H:%M:%S"), (MINUTE, "%H:%M")])
def test_seconds_are_shown_where_bars_are_shorter_than_a_minute(interval, clock):
    figure = charts.price_line(frame(100.0, 101.0), "btc_usd", interval, UTC)

    assert figure.layout.xaxis.hoverformat == f"%-d %b %Y, {clock}"


def test_a_chart_shows_exactly_the_range_that_was_asked_for_in_wall_clock_times():
    figure = charts.price_line(frame(100.0), "btc_usd", MINUTE, WINTER)

    charts.set_range(figure, datetime(2026, 3, 27, 22, tzinfo=UTC), datetime(2026, 3, 28, 22, 0, 0, 5000, UTC), WINTER)

    assert list(figure.layout.xaxis.range) == ["2026-03-27 23:00:00", "2026-03-28 23:00:00.005000"]
    assert figure.layout.yaxis.fixedrange is True


def test_the_description_of_a_chart_says_how_each_index_moved():
    bars = {"btc_usd": frame(100_000.0, 98_270.0, spread=500.0), "xrp_usd": frame(2.0, 2.5)}

    words = charts.describe(bars, WINTER)

    assert words == (
        "BTC / USD from 1 Nov 2026, 13:00 to 1 Nov 2026, 13:01: down 1.73 % from 100,000.00 to 98,270.00, "
        "low 97,770.00, high 100,500.00. "
        "XRP / USD from 1 Nov 2026, 13:00 to 1 Nov 2026, 13:01: up 25.00 % from 2.00000 to 2.50000, "
        "low 2.00000, high 2.50000."
    )


@pytest.mark.parametrize(
    ("bars", "end"),
    [
        (frame(1.0, 1.0), "high 1.00000."),
        (frame(1.0, None, 1.0), "high 1.00000, 1 gap."),
        (frame(1.0, None, 1.0, None, 1.0), "high 1.00000, 2 gaps."),
        (frame(1.0, None, 1.0, averaged=[0]), "high 1.00000, averages in part, 1 gap."),
    ],
    ids=["whole", "one gap", "two gaps", "averages"],
)
def test_a_description_mentions_gaps_and_averages(bars, end):
    words = charts.describe({"xrp_usd": bars}, UTC)

    assert "unchanged from 1.00000 to 1.00000" in words
    assert words.endswith(end)


@pytest.mark.parametrize("bars", [{}, {"btc_usd": frame()}], ids=["no index", "no bar"])
def test_a_chart_without_bars_says_so(bars):
    assert charts.describe(bars, UTC) == "No prices in this range."
