"""How the recording goes, in one object for the command line, the API and the pages, and in words."""

from collections.abc import Container, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

from settings import VERSION, Settings
from store.errors import NoDatabaseError, StoreError
from store.file.aside import list_aside, size_of
from store.file.clock import clock_in_words, skew_s
from store.file.database import Cursor
from store.file.exchange import exchange_of
from store.file.recorder import Notice, failed_start, process_in_words, read_notice, recorded_elsewhere
from store.file.shared import Readable
from store.instants import stale_after_s
from store.ledger import arrivals
from store.ledger.logs import Log, logs
from store.ledger.runs import runs
from store.models import Exchange
from store.prices import ticks
from store.prices.indexes import known_indexes
from store.words import duration

from . import checks
from .sharing import Sharing, sharing

_TROUBLE = {
    "unreachable": "exchange unreachable",
    "exchange error": "exchange error",
    "rejected reply": "exchange reply rejected",
    "missed slot": "slots missed",
    "store unavailable": "database not writable",
}


_STARTS_WITHIN_S = 60
"""The longest time from a recorder's start to its first slot, besides the wait for the slot."""


def health(database: Readable, settings: Settings, now: datetime) -> dict[str, Any]:
    """Every part that works and every part that doesn't, as JSON types; instants as ISO 8601 in UTC, ages in seconds.

    `now` is the exchange's time, as `exchange_now` gives it.

    `status` is "ok", "stale" when the newest tick of a configured index is older than `stale_after_s`, "empty" when no
    index has a tick, or "failed" when the database can't be read. `exchange` names the exchange of the prices; None
    without prices. `set_aside` names damaged files beside the database. `feeds` has the feeds of the newest run: when
    the newest reply of each came, its age, and whether that is "ok", "stale" for its period, or "empty". For a log it
    has the time up to which the log is complete, its age, and "ok", "stale", "loading" while the recorder loads
    its history, or "late" with the reason. `checks` has
    the newest result of each self-check of the market. `lake` says how far the file is shared; None without a lake.
    """
    notice = read_notice(database.path)
    indexes: dict[str, Any] = {}
    feeds: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    failure, exchange = None, None
    try:
        with database.read() as cursor:
            exchange = exchange_of(cursor)
            indexes = _indexes(cursor, settings, now)
            newest = {name: datetime.fromisoformat(index["last"]) for name, index in indexes.items()}
            feeds = feeds_at(cursor, newest, now, notice)
            found = [checks.as_json(each, now) for each in checks.newest(cursor)]
        status = _status(indexes, settings)
    except NoDatabaseError:
        status = "empty"
    except StoreError as error:
        status, failure = "failed", str(error)
    ages = [indexes[name]["age_s"] for name in settings.indexes if name in indexes]
    return {
        "status": status,
        "version": VERSION,
        "now": now.isoformat(),
        "database": _file(database, failure, exchange),
        "poller": _poller(notice, now, words_of(settings, notice, min(ages, default=None), now), settings.poller),
        "indexes": indexes,
        "feeds": feeds,
        "checks": found,
        "lake": _lake(settings, now),
    }


def feeds_at(cursor: Cursor, newest: Mapping[str, datetime], now: datetime, notice: Notice | None) -> dict[str, Any]:
    """The feeds of the newest run and all logs, as `health` has them.

    Args:
        cursor: of the lease.
        newest: the newest ticks of indexes.
        now: the exchange's time.
        notice: of the running or last recorder; it names the logs whose history is being loaded.
    """
    known = {**newest, **arrivals.newest(cursor)}
    periods = {feed: seconds for run in runs(cursor)[-1:] for feed, seconds in run.feeds.items()}
    snapshots = {feed: _feed(known.get(feed), now, seconds) for feed, seconds in periods.items()}
    loading = notice.loading if notice is not None and notice.alive else ()
    return snapshots | {feed: _log(log, now, loading) for feed, log in logs(cursor).items()}


def words_of(settings: Settings, notice: Notice | None, age_s: float | None, now: datetime, zone: tzinfo = UTC) -> str:
    """How the recording goes as a server with these settings says it.

    It is as `in_words` says, or that a lake is read, or why this process could not begin to record.
    """
    if settings.poller == "lake":
        newest = "no data yet" if age_s is None else f"newest price {age_in_words(age_s)}"
        return f"reading a shared lake, {newest}"
    failure = failed_start(settings.database)
    if failure and (notice is None or not notice.alive):
        return f"not recording: {failure}"
    return in_words(notice, age_s, now, zone, embedded=settings.poller == "embedded")


def in_words(
    notice: Notice | None, age_s: float | None, now: datetime, zone: tzinfo = UTC, *, embedded: bool = False
) -> str:
    """The recorder's state in words, such as "exchange unreachable since 10:42, retrying in 8 s: no route to host".

    Args:
        notice: of the running or last recorder, if there was one.
        age_s: the age of the newest tick, if there is one.
        now: the current time.
        zone: the zone of the times in the words.
        embedded: this process was to record; so the words say if another process does.
    """
    if notice is None:
        return "not recording: no recorder was started yet"
    if not notice.alive:
        return _gone_in_words(notice, now, zone)
    words = _alive_in_words(notice, age_s, now, zone)
    if embedded and recorded_elsewhere(notice):
        return f"recorded by another process, {process_in_words(notice)}: {words}"
    return words


def shared_in_words(shared: Sharing, now: datetime, zone: tzinfo = UTC) -> str:
    """How far a file is shared, such as "shared up to 12:03", with the cause if publishing does not keep up."""
    cause = f": {shared.trouble}" if shared.trouble else ""
    if shared.shared_to is None or shared.lag_s is None:
        return f"not shared yet{cause}"
    to = f"shared up to {_clock(shared.shared_to, now, zone)}"
    ago = duration(timedelta(seconds=shared.lag_s))
    return f"{to}, {ago} ago{cause}" if shared.state == "lagging" else to


def aside_in_words(names: Sequence[str]) -> str:
    """The files that could not be opened, and what to do about them."""
    return f"set aside because they can't be opened; move them away once you have checked them: {', '.join(names)}"


def age_in_words(age_s: float) -> str:
    """An age in its largest whole unit, such as "2 s old" or "3 h old"."""
    for unit, unit_s in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if age_s >= unit_s:
            return f"{age_s // unit_s:.0f} {unit} old"
    return f"{max(0, int(age_s))} s old"


def _alive_in_words(notice: Notice, age_s: float | None, now: datetime, zone: tzinfo) -> str:
    if notice.state == "refused":
        return f"not recording: {notice.detail}"
    if notice.state in _TROUBLE:
        since = _clock(notice.state_since, now, zone)
        waiting = f", {_ticks_wait(notice)} in memory" if notice.waiting else ""
        return f"{_TROUBLE[notice.state]} since {since}, {_retry_in_words(notice, now)}{waiting}: {notice.detail}"
    if age_s is None:
        return f"{notice.state}, no data yet"
    failing = "".join(f"; {name}: {reason}" for name, reason in notice.failing.items())
    backfill = f"; {notice.backfill}" if notice.backfill else ""
    return f"{notice.state}, {age_in_words(age_s)}{failing}{_refused_in_words(notice)}{backfill}"


def _refused_in_words(notice: Notice) -> str:
    return (
        f"; records that the database refused: {notice.refused}, see the file .refused.jsonl" if notice.refused else ""
    )


def _ticks_wait(notice: Notice) -> str:
    return "1 tick waits" if notice.waiting == 1 else f"{notice.waiting} ticks wait"


def _retry_in_words(notice: Notice, now: datetime) -> str:
    wait_s = (notice.retry_at - now).total_seconds() if notice.retry_at else 0
    return f"retrying in {wait_s:.0f} s" if wait_s >= 0.5 else "retrying now"


def _gone_in_words(notice: Notice, now: datetime, zone: tzinfo) -> str:
    if notice.state == "refused":
        return f"not recording: {notice.detail}"
    if notice.state == "stopped":
        waiting = f", {_ticks_wait(notice)} in a file for its next start" if notice.waiting else ""
        return f"not recording: the recorder was stopped at {_clock(notice.state_since, now, zone)}{waiting}"
    return f"not recording: the recorder, {process_in_words(notice)}, is gone without a word"


def _clock(instant: datetime, now: datetime, zone: tzinfo) -> str:
    """The time of day, with its date unless that is today."""
    local = instant.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == now.astimezone(zone).date() else f"{local:%Y-%m-%d %H:%M}"


def _indexes(cursor: Cursor, settings: Settings, now: datetime) -> dict[str, Any]:
    stored = ticks.summary(cursor)
    newest = {name: ticks.latest(cursor, name) for name in stored}
    described = {}
    for name in known_indexes(settings.indexes, list(stored)):
        if (tick := newest.get(name)) is not None:
            count, first, _ = stored[name]
            described[name] = {
                "ticks": count,
                "first": first.isoformat(),
                "last": tick.ts.isoformat(),
                "price": tick.price,
                "age_s": _age_s(tick.ts, now),
                "source": tick.source,
            }
    return described


def _log(log: Log, now: datetime, loading: Container[str]) -> dict[str, Any]:
    if log.feed in loading:
        return _feed(log.complete_to, now, None) | {"state": "loading"}
    if log.late:
        return _feed(log.complete_to, now, None) | {"state": "late", "reason": log.late}
    return _feed(log.complete_to, now, log.period_s)


def _feed(last: datetime | None, now: datetime, period_s: int | None) -> dict[str, Any]:
    if last is None:
        return {"last": None, "age_s": None, "state": "empty"}
    age_s = _age_s(last, now)
    is_stale = period_s is not None and age_s > stale_after_s(period_s)
    return {"last": last.isoformat(), "age_s": age_s, "state": "stale" if is_stale else "ok"}


def _age_s(last: datetime, now: datetime) -> float:
    return max(0.0, round((now - last).total_seconds(), 3))  # the clocks may differ by a second


def _lake(settings: Settings, now: datetime) -> dict[str, Any] | None:
    shared = sharing(settings, now)
    return None if shared is None else shared.as_json() | {"words": shared_in_words(shared, now)}


def _status(indexes: dict[str, Any], settings: Settings) -> str:
    ages = [indexes[name]["age_s"] if name in indexes else None for name in settings.indexes]
    if all(age is None for age in ages):
        return "empty"
    limit = stale_after_s(settings.period_to_read_s)
    return "stale" if any(age is None or age > limit for age in ages) else "ok"


def _is_starting(notice: Notice, now: datetime) -> bool:
    """Is a recorder running whose first slot is still to come?"""
    age_s = (now - notice.since).total_seconds()
    return notice.alive and notice.state == "starting" and age_s < notice.poll_seconds + _STARTS_WITHIN_S


def _file(database: Readable, failure: str | None, exchange: Exchange | None) -> dict[str, Any]:
    return {
        "path": database.where,
        "bytes": size_of(database.path),
        "exchange": exchange,
        "error": failure,
        "set_aside": list_aside(database.path),
    }


def _poller(notice: Notice | None, now: datetime, words: str, poller: str) -> dict[str, Any]:
    if notice is None:
        state = "reading a lake" if poller == "lake" else "never started"
        return {"alive": False, "starting": False, "state": state, "words": words}
    return {
        "alive": notice.alive,
        "starting": _is_starting(notice, now),
        "state": notice.state if notice.alive else "gone",
        "words": words,
        "detail": notice.detail,
        "since": notice.state_since.isoformat(),
        "retry_at": notice.retry_at and notice.retry_at.isoformat(),
        "waiting_ticks": notice.waiting,
        "refused_records": notice.refused,
        "failing": dict(notice.failing),
        "backfill": notice.backfill if notice.alive else "",
        "clock": clock_in_words(notice),
        "clock_off_s": 0.0 - skew_s(notice),
        "pid": notice.pid,
        "mode": notice.mode,
        "started_at": notice.since.isoformat(),
        "poll_seconds": notice.poll_seconds,
        "indexes": list(notice.indexes),
    }
