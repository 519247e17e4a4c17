"""How the recording went, in words: the clock and the disk."""

from store.health.vitals import Growth

from . import text

_MOST_DAYS = 3650
_CLEARLY_OFF_S = 1

CLOCK_IS_WRONG = (
    "This machine's clock is wrong. Ticks keep the exchange's time; slots and delays do too once the difference is "
    "2 s. Set the clock from the network (Linux: `timedatectl set-ntp true`; macOS: Date & Time, set automatically)."
)


def clock(skew_s: float) -> str:
    """How far this machine's clock is off, given how far the exchange's clock is ahead of it."""
    return "exact" if abs(skew_s) < 0.0005 else f"{text.delay(abs(skew_s))} {'behind' if skew_s > 0 else 'ahead'}"


def clearly_off(skew_s: float | None) -> bool:
    """Is the clock so wrong that somebody should set it?"""
    return skew_s is not None and abs(skew_s) > _CLEARLY_OFF_S


def full_in(growth: Growth) -> str | None:
    """When the disk will be full at this growth; None while the growth is not known."""
    if growth.bytes_a_day is None:
        return None
    days = growth.days_left
    if days is None or days > _MOST_DAYS:
        return "over 10 years"
    return text.count(int(days), "day") if days < 730 else f"{days / 365:.0f} years"
