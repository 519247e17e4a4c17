"""Prices, changes, ages, times and intervals as text."""

import html
import math
import re
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from store import words
from store.health.status import age_in_words
from store.models import utc_now

from .clock import which

decimals, price, pair, span, duration = words.decimals, words.price, words.pair, words.span, words.duration

NOT_KNOWN = "–"
"""Stands for a number that is not known."""

UTC_SWITCH = "utc"
"""The key of the switch that shows all times in UTC, and its name in the URL."""


def age_at(age: timedelta, at: datetime) -> str:
    """How old a tick is, and its time; with the day from an age of 12 h on, since it may not be today."""
    clock = clock_time(at) if age < timedelta(hours=12) else f"{at:%Y-%m-%d} {clock_time(at, seconds=False)}"
    return f"{age_in_words(age.total_seconds())}, {clock}"


def counted_since(start: datetime, end: datetime, zone: tzinfo) -> str:
    """The time over which a change is counted: 24 h, or less while less was recorded."""
    if end - start >= timedelta(hours=23, minutes=55):
        return "in 24 h"
    local = start.astimezone(zone)
    same_day = local.date() == end.astimezone(zone).date()
    clock = clock_time(local, seconds=False)
    return f"since {clock}" if same_day else f"since {local.day} {local:%b}, {clock}"


def count(number: int, one: str) -> str:
    """A number with its noun, such as "1 gap" or "1,200 gaps"."""
    return f"1 {one}" if number == 1 else f"{number:,} {one}s"


def delay(seconds: float) -> str:
    """A short time, in milliseconds below a second."""
    return f"{1000 * seconds:.0f} ms" if abs(seconds) < 0.9995 else f"{seconds:.3g} s"


def size(amount: float) -> str:
    """An amount of bytes in decimal units, such as "88.0 GB"."""
    unit = "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(amount) < 999.5:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}" if abs(amount) < 999.5 else f"{amount:.0f} {unit}"


def moment(at: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """A time for readers, in a zone, such as "22 Nov 2026, 18:25"; with its offset if clocks show that time twice."""
    local = at.astimezone(zone)
    return f"{local.day} {local:%b %Y}, {clock_time(local, seconds=seconds)}"


def clock_time(local: datetime, *, seconds: bool = True) -> str:
    """A time of the day; with its offset if clocks show that time twice."""
    return f"{local:%H:%M:%S}{which(local)}" if seconds else f"{local:%H:%M}{which(local)}"


def when(at: datetime, zone: tzinfo) -> str:
    """A time to the second, with its day unless that is today."""
    local, today = at.astimezone(zone), utc_now().astimezone(zone).date()
    return clock_time(local) if local.date() == today else moment(at, zone, seconds=True)


def stamp(at: datetime, zone: tzinfo) -> str:
    """A time for tables, in a zone, such as "2026-11-22 18:25:00"; with its offset if clocks show that time twice."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d} {clock_time(local)}"


def stretch(first: datetime, last: datetime, zone: tzinfo) -> str:
    """Start and end, to the second; the day only once if both are on the same day."""
    if first == last:
        return f"at {moment(first, zone, seconds=True)}"
    end = last.astimezone(zone)
    same_day = first.astimezone(zone).date() == end.date()
    return f"{moment(first, zone, seconds=True)} to {clock_time(end) if same_day else moment(last, zone, seconds=True)}"


def zone() -> ZoneInfo:
    """The time zone of the shown times: the browser's, or UTC if the browser names none or the switch is on."""
    browsers = None if st.session_state.get(UTC_SWITCH) else st.context.timezone
    try:
        return ZoneInfo(browsers or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):  # such as "Etc/Unknown", or a zone newer than our list
        return ZoneInfo("UTC")


def change(fraction: float) -> str:
    """A change in percent with its sign."""
    percent = round(100 * fraction, 2)
    return f"{percent:+.2f} %" if percent else "0.00 %"


def share(fraction: float) -> str:
    """A share in percent, cut and not rounded: a part never shows 100 %, and something never shows 0 %."""
    percent = math.floor(10_000 * fraction) / 100
    return "100 %" if fraction >= 1 else "under 0.01 %" if 0 < fraction < 1e-4 else f"{percent:.2f} %"


def direction(fraction: float) -> str:
    """The sign of a change as a word, by the change rounded to two decimals."""
    rounded = round(100 * fraction, 2)
    return "unchanged" if rounded == 0 else "up" if rounded > 0 else "down"


def change_in_words(fraction: float) -> str:
    """A change with its sign in words, such as "down 1.73 %"."""
    word = direction(fraction)
    return word if word == "unchanged" else f"{word} {abs(100 * fraction):.2f} %"


def escaped(words: str) -> str:
    """Foreign words, such as an error of the exchange, so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", words)


def hover(*lines: str) -> str:
    """Lines as Plotly's hover box takes them. Plotly knows `&amp;`, `&lt;` and `&gt;`, but no names of quotes."""
    return "<br>".join(html.escape(line, quote=False) for line in lines)
