"""Gaps and coverage as the store gives them, written by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from store.ledger.coverage import Coverage
from store.models import Cause, Gap

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def gap(start_s: float = 0, seconds: int = 300, state: Any = "open", **more: Any) -> Gap:
    """A gap of btc_usd in seconds after noon, at a period of 5 s; a healed one has averages over 6 s."""
    healed = {"source": "chart", "resolution_s": 6} if state == "healed" else {}
    start = NOON + timedelta(seconds=start_s)
    facts: dict[str, Any] = {"feed": "btc_usd", "start": start, "end": start + timedelta(seconds=seconds)}
    facts |= {"slots": seconds // 5, "poll_seconds": 5, "cause": str(Cause.UNREACHABLE), "detail": "refused"}
    return Gap(**{**facts, "state": state, "gap": start, **healed, **more})


def hour(number: int, due: int = 720, healed: int = 0, missing: int = 0, start: datetime = NOON) -> Coverage:
    """An hour of btc_usd, given in hours after noon."""
    begins = start + number * HOUR
    return Coverage("btc_usd", begins, begins + HOUR, due, healed, missing)
