"""The fields of faults: which of them each kind takes, and what is allowed in each."""

import json
import reprlib
from collections.abc import Callable, Sequence
from typing import Any

from .market_replies import DVOL, SUMMARY
from .methods import METHODS
from .replies import INDEX_NAMES, WINDOWS
from .truth.listing import CURRENCIES

_COMMON = ("method", "index_name", "currency", "book", "seconds", "times")
_OF_SUMMARIES = ("method", "currency", "book", "seconds", "times")

# The fields of each kind, besides `kind`.
KINDS: dict[str, tuple[str, ...]] = {
    "error": (*_COMMON, "code", "message", "data", "status"),  # a JSON-RPC error
    "rate_limit": (*_COMMON, "retry_after"),  # HTTP 429, with the JSON-RPC error 10028
    "html": (*_COMMON, "status"),  # a page, as from the edge in front of the exchange
    "not_json": _COMMON,  # HTTP 200 with plain text
    "nested": (*_COMMON, "depth"),  # HTTP 200 with a result of lists in lists
    "reset": _COMMON,  # TCP RST in place of a reply
    "cut_off": _COMMON,  # half of the promised body, then the end of the connection
    "hang_up": _COMMON,  # a good reply that promises keep-alive; the next request on the connection finds it closed
    "slow": (*_COMMON, "delay_s"),
    "trickle": (*_COMMON, "every_s"),  # a good reply, a byte at a time
    "large_body": (*_COMMON, "size_bytes"),  # a good reply after this much white space
    "skew": (*_COMMON, "by_s"),  # shifts usIn, usOut and get_time; prices are those of the shifted time
    "settlement": (
        "method",
        "index_name",
        "currency",
        "book",
        "seconds",
    ),  # error 10041 in the first 10 s after 08:00 UTC
    "bad_price": (*_COMMON, "value"),  # replaces index_price
    "jump": (*_COMMON, "factor"),  # of prices, not of history
    "truncated_chart": _COMMON,  # the second half of the points
    "other_step": (*_COMMON, "step_s", "window"),
    "missing_rows": (*_OF_SUMMARIES, "rows"),  # so many rows of a book summary left out
    "null_marks": (*_OF_SUMMARIES, "rows"),  # rows without a mark price
    "unknown_names": (*_OF_SUMMARIES, "rows"),  # rows of instruments whose names nobody can read
    "double_rows": (*_OF_SUMMARIES, "rows"),  # rows that come twice
    "other_times": (*_OF_SUMMARIES, "rows"),  # rows with another creation_timestamp than the others
    "old_summary": (*_OF_SUMMARIES, "old_s"),  # a summary of an earlier instant
    "short_pages": (
        "method",
        "currency",
        "seconds",
        "times",
        "rows",
    ),  # so many candles in a page of the volatility index
    "locked": ("method", "seconds", "times", "locked_indices"),  # status "partial"
    "delisted": ("index_name", "seconds"),  # no list names the index, and a call for it is refused
    "outage": ("seconds",),  # the port closed, all connections cut
}

# Kinds that replace the whole reply. Only the first of them counts for a request, so that they queue up.
INSTEAD = ("error", "rate_limit", "html", "not_json", "nested", "reset")

ONLY_FOR = {
    "bad_price": "get_index_price",
    "jump": "get_index_price",
    "truncated_chart": "get_index_chart_data",
    "other_step": "get_index_chart_data",
    "missing_rows": SUMMARY,
    "null_marks": SUMMARY,
    "unknown_names": SUMMARY,
    "double_rows": SUMMARY,
    "other_times": SUMMARY,
    "old_summary": SUMMARY,
    "short_pages": DVOL,
    "locked": "status",
}
"""Kinds that affect only one method."""

BOOKS = ("option", "future")
"""The kinds of instruments whose summaries the exchange is asked for."""

BAD_PRICES = ("nan", "null", "negative", "zero", "text", "missing")

# A thread can't wait for longer than 292 years, and a number beyond all floats can't be added to a clock's.
_YEAR_S = 31_536_000

_LINE = reprlib.Repr()
_LINE.maxstring = _LINE.maxlong = _LINE.maxother = 80

Check = tuple[Callable[[Any], bool], str]
"""A check of a value, and the allowed values in words."""


def shown(value: object) -> str:
    """Any value in one short line."""
    return _LINE.repr(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number(value: object) -> bool:
    return _whole(value) or isinstance(value, float)


def _above_0(most: int) -> Check:
    return lambda value: _number(value) and 0 < value <= most, f"a number above 0, at most {most}"


def _between(least: int, most: int) -> Check:
    return lambda value: _number(value) and least <= value <= most, f"a number from {least} to {most}"


def _whole_between(least: int, most: int) -> Check:
    return lambda value: _whole(value) and least <= value <= most, f"a whole number from {least} to {most}"


def _one_of(names: Sequence[str]) -> Check:
    return lambda value: value in names, f"one of {', '.join(names)}"


def _writable(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


CHECKS: dict[str, Check] = {
    "method": _one_of(tuple(METHODS)),
    "index_name": (lambda value: value in INDEX_NAMES, "the name of an index, such as btc_usd"),
    "currency": _one_of(CURRENCIES),
    "book": _one_of(BOOKS),
    "rows": _whole_between(1, 10**6),
    "old_s": _above_0(_YEAR_S),
    "seconds": _above_0(_YEAR_S),
    "times": _whole_between(1, 10**9),
    "code": (_whole, "a whole number"),
    "message": (lambda value: isinstance(value, str), "a text"),
    "data": (_writable, "a value that JSON can hold"),
    "status": (
        lambda value: _whole(value) and (value == 200 or 400 <= value <= 599),
        "200, or a whole number from 400 to 599",
    ),
    "retry_after": _between(0, _YEAR_S),
    "depth": _whole_between(1, 10**6),
    "delay_s": _above_0(_YEAR_S),
    "every_s": _above_0(_YEAR_S),
    "size_bytes": _whole_between(1, 10**12),
    "by_s": _between(-86400, 86400),
    "value": _one_of(BAD_PRICES),
    "factor": _above_0(10**9),
    "step_s": _whole_between(1, 10**9),
    "window": _one_of(tuple(WINDOWS)),
    "locked_indices": (
        lambda value: isinstance(value, list | tuple) and all(isinstance(name, str) for name in value),
        "a list of index names",
    ),
}
"""The allowed values of each field, unless it is left out."""
