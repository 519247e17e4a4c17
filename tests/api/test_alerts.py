"""/alerts: the events of the store at which a rule fired, half-open, as JSON."""

import math
from datetime import timedelta
from typing import Any

import httpx
import pytest

from api import alerts
from store.instants import in_iso
from tests.conftest import START
from tests.support.events import CONDITION, alert, note

from .conftest import detail

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def asked(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/alerts", params={"start": in_iso(START), "end": in_iso(START + MINUTE), **params})


def test_an_alert_has_what_the_recorder_noted(client, database):
    its = alert("options/BTC fell behind", at=START, noted_at=START + SECOND, index_name="options/BTC", price=math.nan)
    note(database, its)

    reply = asked(client)

    assert reply.json() == {
        "start": in_iso(START),
        "end": in_iso(START + MINUTE),
        "alerts": [
            {
                "at": in_iso(START),
                "noted_at": in_iso(START + SECOND),
                "feed": "options/BTC",
                "rule": "Sharp move",
                "condition": CONDITION,
                "severity": "critical",
                "value": -3.2,
                "threshold": 3.0,
                "price": None,
                "text": "options/BTC fell behind",
            }
        ],
    }


def test_alerts_of_the_range_come_newest_first_without_those_that_are_over(client, database):
    note(
        database,
        *(alert(str(second), at=START + second * SECOND) for second in (-1, 0, 30, 60)),
        alert("over", at=START + 40 * SECOND, event="over"),
    )

    assert [each["text"] for each in asked(client).json()["alerts"]] == ["30", "0"]


def test_there_are_no_alerts_before_the_first_start(client):
    assert asked(client).json()["alerts"] == []


def test_a_range_with_too_many_alerts_is_refused(client, database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alerts, "MOST_ROWS", 2)
    note(database, *(alert(at=START + second * SECOND) for second in range(3)))

    assert detail(asked(client)) == "start, end: more than 2 alerts lie between them; ask for a shorter range"
    assert len(asked(client, end=in_iso(START + 2 * SECOND)).json()["alerts"]) == 2


def test_a_misspelt_parameter_is_refused(client):
    assert detail(asked(client, until="2026-11-02")) == "'until': is no parameter; must be one of start, end, at"
