"""How recording went, in words: the clock and the disk."""

from store.health.vitals import Growth

from . import text

_MOST_DAYS = 3650
_CLEARLY_OFF_S = 1

CLOCK_IS_WRONG = (
    "This machine's clock is wrong: ticks keep the exchange's time, and from 2 s on slots and delays do too. Let it be "
    "set from the network (Linux: `timedatectl set-ntp true`; macOS: Date & Time, set automatically)."
)


def clock(skew_s: float) -> str:
    """How this machine's clock goes, when the exchange's is so far ahead of it."""
    return "exact" if abs(skew_s) < 0.0005 else f"{text.delay(abs(skew_s))} {'behind' if skew_s > 0 else 'ahead'}"


def clearly_off(skew_s: float | None) -> bool:
    """Should somebody set the clock?"""
    return skew_s is not None and abs(skew_s) > _CLEARLY_OFF_S


def full_in(growth: Growth) -> str | None:
    """When the disk will be full at this growth; None while that isn't known."""
    if growth.bytes_a_day is None:
        return None
    days = growth.days_left
    if days is None or days > _MOST_DAYS:
        return "over 10 years"
    return text.count(int(days), "day") if days < 730 else f"{days / 365:.0f} years"
