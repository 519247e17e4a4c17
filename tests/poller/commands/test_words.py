"""The words of commands for an outcome."""

from datetime import UTC, datetime
from typing import Any

from poller.commands.words import outcome_in_words, report_in_words
from store.models import Snapshot


def test_a_snapshot_is_shown_by_its_number_of_rows():
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)

    told = outcome_in_words(Snapshot("options/BTC", at, at, (("BTC-1", 1.0), ("BTC-2", 2.0))))

    assert told == "options/BTC 2 rows at 2026-11-01 12:00:00.000000 UTC (live)"


def test_a_log_that_loads_its_history_shows_no_age():
    report: dict[str, Any] = {
        "status": "ok",
        "poller": {"words": "recording, 1 s old"},
        "database": {"path": "ticks.duckdb", "error": None, "exchange": None, "set_aside": []},
        "indexes": {},
        "feeds": {
            "dvol/BTC-1h": {"last": "2022-05-01T12:00:00+00:00", "age_s": 1e8, "state": "loading"},
            "dvol/ETH-1h": {"last": "2026-11-01T11:00:00+00:00", "age_s": 3700, "state": "ok"},
        },
        "checks": [],
        "lake": None,
    }

    assert report_in_words(report).splitlines()[2:] == [
        "dvol/BTC-1h, loading its history, complete to 2022-05-01",
        "dvol/ETH-1h, 1 h old, ok",
    ]
