"""Made-up quotes of option chains, of the shape that the exchange sends."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from store.market.smile import Quote

TS = datetime(2026, 11, 28, 14, 5, 1, 4_000, tzinfo=UTC)
FORWARD = 80_000.0
STRIKES = tuple(range(30_000, 200_000, 2_000))


def quotes(
    days: float,
    iv: Callable[[float], float],
    forward: float = FORWARD,
    strikes: Iterable[float] = STRIKES,
) -> list[Quote]:
    """The calls and puts of an expiry that is some days away, with an IV by strike, without open interest."""
    expiry = TS + timedelta(days=days)
    return [
        Quote(expiry, strike, option_type, iv(strike), forward, open_interest=None, volume=None)
        for strike in strikes
        for option_type in ("call", "put")
    ]


def flat(iv: float) -> Callable[[float], float]:
    """The same IV at all strikes."""
    return lambda _strike: iv


def held(rows: Sequence[tuple[float, float, float]], days: float = 30) -> list[Quote]:
    """The calls and puts of an expiry, with the open interest of the call and the put of each strike."""
    return [
        quote._replace(open_interest=oi, volume=oi / 10)
        for strike, *both in rows
        for quote, oi in zip(quotes(days, flat(40), strikes=[strike]), both, strict=True)
    ]
