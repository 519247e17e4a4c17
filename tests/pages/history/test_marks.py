"""Gaps and alerts are marked where they were."""

from datetime import timedelta
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from store.ledger import gaps
from store.models import Tick
from tests.pages import ledgers
from tests.pages.conftest import captions, chart
from tests.pages.history.conftest import HOUR_OF_TICKS, NOON
from tests.support.events import alert, note
from tests.support.stored import append


def marks(page: AppTest) -> list[tuple[str, list[Any], list[float]]]:
    """The marks of alerts by severity, with their times and prices."""
    drawn = [trace for trace in chart(page, "history")["figure"]["data"] if trace["meta"]["part"] == "alert"]
    return [(trace["meta"]["severity"], trace["x"], trace["y"]) for trace in drawn]


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


def test_an_alert_is_at_its_price_when_another_index_has_no_ticks_in_the_range(open_page, seeded):
    note(seeded, alert(at=NOON + timedelta(minutes=10), price=110.0))

    page = open_page("history", index=["btc_usd", "eth_usd"], **HOUR_OF_TICKS)

    assert [y for _, _, y in marks(page)] == [[110.0]]


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
