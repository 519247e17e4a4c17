"""The words of commands for an outcome."""

from datetime import UTC, datetime

from poller.commands.words import outcome_in_words
from store.models import Snapshot


def test_a_snapshot_is_shown_by_its_number_of_rows():
    at = datetime(2026, 11, 1, 12, tzinfo=UTC)

    told = outcome_in_words(Snapshot("options/BTC", at, at, (("BTC-1", 1.0), ("BTC-2", 2.0))))

    assert told == "options/BTC 2 rows at 2026-11-01 12:00:00.000000 UTC (live)"
