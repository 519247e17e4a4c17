"""Lines and marks of an index have one scale."""

from datetime import UTC

import pytest

from pages.common.figures import charts, scales
from pages.common.figures.alert_marks import add_alerts
from tests.pages.frames import MINUTE, START, frame
from tests.support.events import alert

BARS = {"btc_usd": frame(97_000.0, 97_010.0), "eth_usd": frame(4_000.0, 4_400.0)}


def test_an_index_without_bars_does_not_change_the_scale_of_another():
    assert scales.fitting({"btc_usd": BARS["btc_usd"], "eth_usd": frame()}) == {"btc_usd": 1.0}
    assert scales.fitting({"btc_usd": BARS["btc_usd"]}) == {"btc_usd": 1.0}
    assert scales.fitting({}) == {}


def test_several_indexes_are_each_100_at_their_first_tick():
    assert scales.fitting(BARS) == {"btc_usd": 100 / 97_000, "eth_usd": 100 / 4_000}


@pytest.mark.parametrize("beside", ["eth_usd", "xrp_usd"], ids=["an index with bars", "an index without bars"])
def test_the_mark_of_an_alert_lies_on_the_line(beside):
    bars = {"btc_usd": BARS["btc_usd"], beside: BARS.get(beside, frame())}
    found = scales.fitting(bars)
    figure = charts.lines(bars, found, MINUTE, UTC)

    add_alerts(figure, [alert(at=START + MINUTE, price=97_010.0, index_name="btc_usd")], found, UTC)

    line, mark = figure.data[0], figure.data[-1]
    assert (line.name, mark.meta["part"]) == ("BTC / USD", "alert")
    assert mark.y[0] == pytest.approx(line.y[-1])


def test_names_and_texts_of_alerts_are_shown_as_they_are():
    figure = charts.lines({"btc_usd": frame(1.0)}, {"btc_usd": 1.0}, MINUTE, UTC)

    add_alerts(figure, [alert(at=START, price=1.0, rule='say "a & b" < c')], {"btc_usd": 1.0}, UTC)

    assert figure.data[-1].hovertext[0].startswith('say "a &amp; b" &lt; c, ')
