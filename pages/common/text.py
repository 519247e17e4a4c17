"""Prices, changes, ages and times as text."""

import math
import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from store.status import age_in_words


def price(value: float) -> str:
    """A price with digits that suit its size: cents above 100, six significant ones below."""
    if value >= 100:
        return f"{value:,.2f}"
    decimals = max(2, 5 - math.floor(math.log10(value)))
    return f"{value:,.{decimals}f}"


def pair(index_name: str) -> str:
    """An index name as the pair it prices: "btc_usd" is "BTC / USD"."""
    return " / ".join(index_name.upper().split("_"))


def age_at(age: timedelta, at: datetime) -> str:
    """How old a tick is, and when it was: the day too once that may not be today's."""
    clock = f"{at:%H:%M:%S}" if age < timedelta(hours=12) else f"{at:%Y-%m-%d %H:%M}"
    return f"{age_in_words(age.total_seconds())}, {clock}"


def counted_since(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Over which time a change is counted: 24 h, or less while that is all that was recorded."""
    local = start.astimezone(zone)
    return "in 24 h" if end - start >= timedelta(hours=23, minutes=55) else f"since {local:%H:%M}"


def browser_zone() -> ZoneInfo:
    """The time zone of the reader's browser; UTC where it doesn't say."""
    return ZoneInfo(st.context.timezone or "UTC")


def change(fraction: float) -> str:
    """A change in percent with its sign."""
    return f"{100 * fraction:+.2f} %"


def escaped(words: str) -> str:
    """Words of others, such as an error of the exchange, so that Markdown shows them as they are."""
    return re.sub(r"([\\`*_{}\[\]()#+!|<>~$:])", r"\\\1", words)
