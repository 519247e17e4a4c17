"""Made-up snapshots of option chains for tests."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from store.models import Snapshot, Source

EXPIRIES = tuple(datetime.fromisoformat(f"{day}T08:00:00+00:00") for day in ("2026-11-06", "2026-12-25", "2027-03-26"))
STRIKES = (80_000.0, 90_000.0, 95_000.0, 100_000.0, 105_000.0, 110_000.0, 120_000.0)
FORWARD = 100_000.0


def rows(expiries: tuple[datetime, ...] = EXPIRIES, iv: float = 40.0) -> Iterator[tuple[Any, ...]]:
    """A row for each option, as a snapshot has them: the later the expiry and the farther the strike, the more IV."""
    for number, expiry in enumerate(expiries):
        for strike in STRIKES:
            its_iv = iv + number + abs(strike - FORWARD) / 10_000
            for option_type in ("put", "call"):
                bid = None if strike == STRIKES[0] else 0.01
                yield expiry, strike, option_type, 0.02, its_iv, FORWARD, bid, 0.03, None, 10.0, 2.0, 4000.0


def chain(ts: datetime, underlying: str = "BTC", source: Source = "live", **more: Any) -> Snapshot:
    """A snapshot of all options of an underlying."""
    found = tuple(rows(**more))
    return Snapshot(f"options/{underlying}", ts, ts + timedelta(seconds=0.5), found, source, FORWARD, rejected=1)
