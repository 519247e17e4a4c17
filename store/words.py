"""Prices, pairs, lengths of time and other values as text, for messages and pages alike."""

import math
from datetime import timedelta

# The smallest value with all six significant digits written out, as in 0.00000000123456.
_TINY = 1e-9

_LONGEST_VALUE = 80


def decimals(value: float) -> int:
    """The number of digits after the point that suits a value: two from 100 on, six significant digits below 100.

    The sign does not count. 0 and NaN have two digits. A tiny value has as many digits as the smallest value above it.
    """
    size = abs(value)
    if size >= 100 or not size or math.isnan(size):
        return 2
    return max(2, 5 - math.floor(math.log10(max(size, _TINY))))


def price(value: float) -> str:
    """A price, rate or other value with digits that suit its size; a dash if it is not a number."""
    if not math.isfinite(value):
        return "–"
    if 0 < abs(value) < _TINY:
        return f"{value:.5e}"
    return f"{value or 0.0:,.{decimals(value)}f}"


def pair(index_name: str) -> str:
    """An index name as the pair it prices: "btc_usd" is "BTC / USD". The name of another feed stays as it is."""
    return index_name if "/" in index_name else " / ".join(index_name.upper().split("_"))


def span(length: timedelta) -> str:
    """A length of time in its largest whole unit, such as "15 min" or "1 d"."""
    seconds = length.total_seconds()
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= unit_s and seconds % unit_s == 0:
            return f"{seconds // unit_s:.0f} {unit}"
    return f"{seconds:g} s"


def duration(length: timedelta) -> str:
    """A length of time in its two largest units, such as "5 min", "1 h 12 min" or "3 d 4 h"."""
    left = round(length.total_seconds())
    parts: list[str] = []
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, unit_s)
        if parts or count:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "under 1 s"


def shortened(value: object) -> str:
    """A value of a request as Python writes it, on one line, cut to a readable length."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
