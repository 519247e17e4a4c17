"""On hosts that don't serve our script, a chart looks as its captions say."""

import re
from datetime import UTC, date, timedelta
from typing import Any

import plotly.graph_objects as go
import pytest

from pages.common.chart import paint
from pages.common.figures import charts, scales
from pages.common.figures.alert_marks import add_alerts
from pages.common.figures.hours import coverage_chart, funding_squares
from pages.common.figures.hours.coverage_chart import Hour
from pages.common.figures.hours.funding_squares import Paid
from settings import ROOT
from tests.pages.frames import MINUTE, START, frame
from tests.support.events import alert

THEME: dict[str, Any] = {
    "text": "#000001",
    "muted": "#000002",
    "background": "#000003",
    "grid": "#000004",
    "border": "#000005",
    "up": "#000006",
    "down": "#000007",
    "orange": "#000008",
    "font": "serif",
    "palette": ["#0000a0", "#0000a1"],
}


def painted(figure: go.Figure) -> dict[str, Any]:
    """The traces after painting, by their part or severity."""
    return {trace.meta.get("severity", trace.meta["part"]): trace for trace in paint.painted(figure, THEME).data}


def test_averages_are_dashed_in_the_colour_of_their_line_and_the_band_is_pale():
    drawn = painted(charts.price_line(frame(1.0, 2.0, 3.0, averaged=[0], spread=0.5), "btc_usd", MINUTE, UTC))

    assert (drawn["line"].line.color, drawn["line"].line.dash) == ("#0000a0", "solid")
    assert (drawn["averages"].line.color, drawn["averages"].line.dash) == ("#0000a0", "4px,2px")
    assert drawn["band"].fillcolor == "#0000a033"


def test_diamonds_are_critical_triangles_are_warnings_and_dots_are_information():
    figure = charts.price_line(frame(1.0, 2.0), "btc_usd", MINUTE, UTC)
    events = [alert(at=START, price=1.0, severity=severity) for severity in ("info", "warning", "critical")]
    add_alerts(figure, events, {"btc_usd": 1.0}, UTC)

    drawn = painted(figure)

    symbols = {name: drawn[name].marker.symbol for name in ("critical", "warning", "info")}
    assert symbols == {"critical": "diamond", "warning": "triangle-up", "info": "circle"}


def test_candles_that_rise_are_hollow():
    drawn = painted(charts.candles(frame(1.0, 2.0), "btc_usd", MINUTE, UTC))["candles"]

    assert (drawn.increasing.fillcolor, drawn.decreasing.fillcolor) == ("#000003", "#000007")


def test_squares_of_a_calendar_have_a_colour_or_hatching_for_each_class():
    day = date(2026, 11, 1)
    hours = [Hour(day, 0, 9, 0, 0), Hour(day, 1, 9, 1, 0), Hour(day, 2, 9, 0, 1), Hour(day, 3, 9, 0, 9)]

    drawn = painted(coverage_chart.calendar(hours, day, day))

    looks = {name: (trace.marker.color, trace.marker.pattern.shape) for name, trace in drawn.items()}
    assert looks == {
        "live": ("#00000659", None),
        "healed": ("#0000a0", "/"),
        "missing": ("#0000a1", None),
        "lost": ("#000007", "x"),
    }


def test_a_chosen_bar_stands_out_and_another_moment_is_dashed_or_outlined():
    parts = ("chosen", "others", "before", "outline")
    figure = go.Figure([{"type": "bar" if part != "before" else "scatter", "meta": {"part": part}} for part in parts])

    drawn = painted(figure)

    assert (drawn["chosen"].marker.color, drawn["others"].marker.color) == ("#0000a0", "#0000a059")
    assert (drawn["before"].line.color, drawn["before"].line.dash) == ("#000002", "dash")
    assert (drawn["outline"].marker.color, drawn["outline"].marker.line.color) == ("rgba(0,0,0,0)", "#000002")


def test_more_series_than_colours_differ_by_their_dashes():
    bars = {f"i{number}_usd": frame(1.0, 2.0) for number in range(5)}
    figure = charts.rebased(bars, scales.at_100(bars), timedelta(minutes=1), UTC)

    drawn = paint.painted(figure, THEME).data

    assert [(line.line.color[-2:], line.line.dash) for line in drawn] == [
        ("a0", "solid"),
        ("a1", "solid"),
        ("a0", "dash"),
        ("a1", "dash"),
        ("a0", "dot"),
    ]


def test_a_figure_that_is_kept_is_not_painted_itself():
    figure = charts.price_line(frame(1.0, 2.0), "btc_usd", MINUTE, UTC)

    paint.painted(figure, THEME)

    assert figure.data[0].line.color is None


def test_the_theme_comes_from_the_settings_of_streamlit():
    theme = paint.theme()

    assert theme.keys() == THEME.keys()
    assert (theme["background"], theme["palette"][0]) == ("#fbfcfd", "#0f67b1")
    assert all(theme.values())


@pytest.mark.parametrize("side", ["chart.js", "paint.py"])
def test_every_colour_of_the_styles_is_known_to_both_painters(side):
    used = set(re.findall(r'"\$([a-z]+)', (ROOT / "pages/common/chart/styles.json").read_text()))

    known = set(re.findall(r'^ +"?([a-z]+)"?(?=[:,])', (ROOT / "pages/common/chart" / side).read_text(), re.MULTILINE))
    assert used - {"series", "dash", "first", "second"} <= known


def test_squares_of_funding_are_of_one_colour_for_each_side_and_the_stronger_the_more():
    day = date(2026, 11, 1)
    rates = [-0.5, -0.2, -0.05, 0.0, 0.05, 0.2, 0.5]
    hours = [Paid(day, number, annual / 8760) for number, annual in enumerate(rates)]

    drawn = painted(funding_squares.calendar(hours, day, day))

    first, second = ([drawn[f"{side}{size}"].marker.color for size in (3, 2, 1)] for side in ("longs", "shorts"))
    assert first == ["#0000a0", "#0000a099", "#0000a040"]
    assert second == ["#0000a1", "#0000a199", "#0000a140"]
