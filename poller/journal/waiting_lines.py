"""Reads the lines of the file of waiting records. Each value is checked, because anybody may have changed the file."""

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from poller.feeds.feed import Observation
from settings import TickwellError, is_index_name
from store.kinds import kind_of
from store.models import Cause, Exchange, Miss, Run, Snapshot, Tick

# In these years a sum with seconds or days stays in the range of a datetime.
_YEARS = range(1970, 2200)
_POLL_SECONDS = range(1, 86_401)
_MOST_WORDS = 200

# The names of all feeds except indexes, such as "options/BTC".
_FEED = re.compile(r"[a-z]+/[A-Za-z0-9_-]+")


class DamagedError(TickwellError):
    """A line that no version of Tickwell wrote. The text says which line and why; the file is set aside."""


def read_head(text: str, newest: int) -> Exchange | None:
    """The exchange that the first line names.

    Raises:
        DamagedError: the line is no head, or of a newer format.
    """
    with _damage_told(1):
        head = json.loads(text)
        if head["format"] not in range(1, newest + 1):
            raise ValueError(f"format {head['format']}, this version reads 1 to {newest}")
        return None if head["exchange"] is None else Exchange[_text(head["exchange"])]


def read_line(text: str, number: int, exchange: Exchange | None) -> Run | tuple[datetime, Observation] | Miss:
    """The record of a line; an observation comes with its slot.

    Args:
        text: the line.
        number: the number of the line, from 1.
        exchange: the exchange that the head names.

    Raises:
        DamagedError: the line is no record, or has a value that no record of this exchange has.
    """
    with _damage_told(number):
        line = json.loads(text)
        if "run" in line:
            return Run(**_values(_run_of_today(line["run"]), _RUN))
        if "miss" in line:
            return Miss(**_values(_miss_of_today(line["miss"]), _MISS))
        observation = _observation(line)
        if observation.source != _SOURCES.get(exchange):
            raise ValueError(f"{exchange} has no source {observation.source!a}")
        return _instant(line["slot"]), observation


def _observation(line: dict[str, Any]) -> Observation:
    if "snapshot" not in line:
        return Tick(**_values(line["tick"], _TICK))
    snapshot = Snapshot(**_values(line["snapshot"], _SNAPSHOT))
    return replace(snapshot, rows=_rows(snapshot.rows, snapshot.feed))


def _rows(rows: Any, feed: str) -> tuple[tuple[Any, ...], ...]:
    """The rows of a snapshot, with values that fit the columns of the feed's kind."""
    kind = kind_of(feed)
    if kind is None or not kind.snapshots or kind.derived:
        raise ValueError(f"{feed} has no snapshots")
    readers = [_CELLS[column.type] for column in kind.brought]
    return tuple(tuple(read(value) for read, value in zip(readers, row, strict=True)) for row in rows)


@contextlib.contextmanager
def _damage_told(number: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        words = " ".join(str(error).split()).encode("ascii", "replace").decode()
        raise DamagedError(f"line {number}: {type(error).__name__}: {words[:_MOST_WORDS]}") from error


def _values(found: dict[str, Any], readers: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    if found.keys() != readers.keys():
        raise ValueError(f"its fields are not {', '.join(readers)}")
    return {name: read(found[name]) for name, read in readers.items()}


def _run_of_today(found: dict[str, Any]) -> dict[str, Any]:
    """A run with the period of each feed. Older versions wrote a list of indexes and one period for all of them."""
    today = dict(found)
    if found.keys() >= {"poll_seconds", "indexes"}:
        today["feeds"] = dict.fromkeys(_feed_names(today.pop("indexes")), today.pop("poll_seconds"))
    return today


def _miss_of_today(found: dict[str, Any]) -> dict[str, Any]:
    """A miss of a feed. Older versions wrote `index_name` for it."""
    return {"feed" if name == "index_name" else name: value for name, value in found.items()}


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(value)
    if instant.utcoffset() is None or instant.year not in _YEARS:
        raise ValueError(f"{value!a} is no instant with an offset from UTC in the years from 1970 to 2199")
    return instant.astimezone(UTC)


def _instant_if_any(value: Any) -> datetime | None:
    return None if value is None else _instant(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!a} is no text")
    return value


def _index_name(value: Any) -> str:
    if not is_index_name(_text(value)):
        raise ValueError(f"{value!a} is no name of an index")
    return str(value)


def _feed(value: Any) -> str:
    if not (is_index_name(_text(value)) or _FEED.fullmatch(value)):
        raise ValueError(f"{value!a} is no name of a feed")
    return str(value)


def _feed_names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{value!a} is no list of feeds")
    return tuple(map(_feed, value))


def _feeds(value: Any) -> dict[str, int]:
    if not isinstance(value, dict):
        raise TypeError(f"{value!a} has no feeds with their seconds")
    return {_feed(name): _poll_seconds(seconds) for name, seconds in value.items()}


def _cell_of_text(value: Any) -> str | None:
    return None if value is None else _text(value)


def _cell_of_number(value: Any) -> float | None:
    if value is not None and (type(value) not in (int, float) or not math.isfinite(value)):
        raise ValueError(f"{value!a} is no finite number")
    return None if value is None else float(value)


def _price_if_any(value: Any) -> float | None:
    return None if value is None else _price(value)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"{value!a} is no number of rows")
    return value


def _as_it_is(value: Any) -> Any:
    return value


def _price(value: Any) -> float:
    if type(value) not in (int, float) or not (math.isfinite(value) and value > 0):
        raise ValueError(f"{value!a} is no finite price above 0")
    return float(value)


def _poll_seconds(value: Any) -> int:
    if type(value) is not int or value not in _POLL_SECONDS:
        raise ValueError(f"{value!a} is no whole number of seconds from 1 to 86400")
    return value


def _observed(value: Any) -> int:
    if type(value) is not int or value != 0:
        raise ValueError(f"resolution {value!a} is not 0, as an observation has it")
    return value


def _code(value: Any) -> int | None:
    if value is not None and type(value) is not int:
        raise TypeError(f"{value!a} is no code of an exchange's error")
    return value


_SOURCES: dict[Exchange | None, str] = {Exchange.REAL: "live", Exchange.TEST: "live", Exchange.SIMULATOR: "simulator"}

_RUN: dict[str, Callable[[Any], Any]] = {
    "started_at": _instant,
    "feeds": _feeds,
    "version": _text,
    "ended_at": _instant_if_any,
}

_TICK: dict[str, Callable[[Any], Any]] = {
    "index_name": _index_name,
    "ts": _instant,
    "price": _price,
    "source": _text,
    "received_at": _instant_if_any,
    "resolution_s": _observed,
}

_SNAPSHOT: dict[str, Callable[[Any], Any]] = {
    "feed": _feed,
    "ts": _instant,
    "received_at": _instant,
    "rows": _as_it_is,
    "source": _text,
    "index_price": _price_if_any,
    "rejected": _count,
}

_CELLS: dict[str, Callable[[Any], Any]] = {
    "TIMESTAMP": _instant_if_any,
    "DOUBLE": _cell_of_number,
    "INTEGER": _code,
    "VARCHAR": _cell_of_text,
}

_MISS: dict[str, Callable[[Any], Any]] = {
    "slot": _instant,
    "feed": _feed,
    "cause": Cause,
    "detail": _text,
    "code": _code,
}
