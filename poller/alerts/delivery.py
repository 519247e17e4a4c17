"""Sending alerts to people, beside a recorder: each event at least once, until the database notes it as sent."""

import contextlib
import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from poller.timing.guard import guarded
from store.alerts import events
from store.alerts.events import Event, Outcome, Pending
from store.alerts.rules.rules import Severity
from store.errors import NoDatabaseError, StoreError
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.models import utc_now

from .backoff import FIRST_WAIT_S, MessageQueue
from .notify import TIMEOUT_S, Kind, Message, NotifyError, Target

log = logging.getLogger("tickwell.alerts")

GIVE_UP_AFTER = timedelta(days=7)

# How often it looks at the clock, at the lock, and for events that another process left. It reads the database only
# when there are some.
_LOOK_AGAIN_S = 1.0

# A recorder has 2 s to stop, and its own last write falls into them.
_LAST_WAIT_S = 0.8

# The most events to give up in one transaction, which takes some 20 ms.
_GIVEN_UP_AT_ONCE = 50

_KINDS: Mapping[Severity, Kind] = {"info": "info", "warning": "warning", "critical": "failure"}


@dataclass(frozen=True)
class Limits:
    """The numbers of a delivery.

    Attributes:
        try_s: how long one try may last.
        first_wait_s: between the first two tries of a target.
        store_s: how long the database is waited for.
    """

    try_s: float = TIMEOUT_S
    first_wait_s: float = FIRST_WAIT_S
    store_s: float = 0.9


@dataclass(frozen=True)
class _Tried:
    """The outcome of sending one event to one target, or of giving it up."""

    pending: Pending
    outcome: Outcome
    at: datetime
    detail: str = ""


class Delivery:
    """Sends events to targets, in threads of its own: one message at a time for each target.

    Only one process at a time sends for a database file: it holds a lock beside the file, from its first event on. A
    target that hangs delays no other target, and none of them delays a slot: the outcome of a try is a small write.

    Args:
        database: the one that notes the events.
        addresses: gives the address of each target, by name; called each time.
        clock: of the recorder.
        gives_up: on an event that was not sent within a week, and on a target without an address. Otherwise such
            events are left to other processes.
        limits: how long it waits for what.
    """

    def __init__(
        self,
        database: Database,
        addresses: Callable[[], Mapping[str, SecretStr]],
        *,
        clock: Callable[[], datetime] = utc_now,
        gives_up: bool = True,
        limits: Limits = Limits(),
    ) -> None:
        self._database, self._addresses, self._clock = database, addresses, clock
        self._gives_up, self._limits = gives_up, limits
        self._lock = FileLock(beside(database.path, "alerts"))
        self._held = False
        self._targets: dict[SecretStr, Target] = {}
        self._to_send = MessageQueue(first_wait_s=limits.first_wait_s)
        self._tried: queue.SimpleQueue[_Tried] = queue.SimpleQueue()
        self._not_noted: list[_Tried] = []
        self._news = True
        self._left_at: int | None = None
        self._trouble = False
        self._woken, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="tickwell-delivery", daemon=True)

    def start(self) -> None:
        """Begin with the events that were left from before."""
        self._thread.start()

    def wake(self) -> None:
        """Look at once, because events were noted."""
        self._news = True
        self._woken.set()

    def cease(self) -> None:
        """Begin no new message. A running one may end within a second; otherwise it is sent again another time."""
        self._stop.set()
        self._woken.set()

    def stop(self) -> None:
        """Cease, and wait for the end."""
        self.cease()
        if self._thread.is_alive():
            self._thread.join(_LAST_WAIT_S + self._limits.store_s)

    @property
    def idle(self) -> bool:
        """Is no event left for the known targets?"""
        known = self._addresses()
        left = any(each.target in known for each in self._to_send.left())
        return not (self._news or left or self._to_send.busy)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._woken.clear()
            wait_s = _LOOK_AGAIN_S
            with guarded("delivery"):
                wait_s = self._take_turns()
            self._woken.wait(wait_s)
        with guarded("delivery"):
            self._end()

    def _take_turns(self) -> float:
        """Do what is due; return the seconds until the next look."""
        wait_s = _LOOK_AGAIN_S
        with self._logged_trouble(), contextlib.suppress(NoDatabaseError):
            self._note()
            self._look_for_events()
            if self._to_send.left() and self._holds_the_lock():
                wait_s = self._tell()
        return wait_s

    @contextlib.contextmanager
    def _logged_trouble(self) -> Iterator[None]:
        """Log that the database can't be used, once until it can be used again."""
        try:
            yield
        except StoreError as error:
            if not self._trouble:
                log.warning("alerts are not sent until the database can be used: %s", error)
            self._trouble = True
        else:
            self._trouble = False

    def _look_for_events(self) -> None:
        """Read the events that are to be sent, if there are new ones."""
        left_at = _changed_at(self._lock.path)
        if self._news or left_at != self._left_at:
            self._news = True
            with self._database.read(self._limits.store_s) as cursor:
                self._news = False
                self._to_send.renew(events.pending(cursor))
            self._left_at = left_at

    def _holds_the_lock(self) -> bool:
        if self._lock.lost:
            self._lock.release()
            self._held = False
        if not self._held and self._lock.try_acquire():
            self._held = self._news = True  # the last holder may have sent some events
            self._look_for_events()
        return self._held

    def _tell(self) -> float:
        """Begin to send what is due; return the seconds until the next event, at most until the next look."""
        now, addresses = self._clock(), self._addresses()
        if self._gives_up:
            self._give_up(now, addresses)
        for pending in self._to_send.due(now, addresses):
            self._to_send.busy.add(pending.target)
            tell = partial(self._try, pending, self._target(addresses[pending.target]))
            threading.Thread(target=tell, name=f"tickwell-tell-{pending.target}", daemon=True).start()
        wait_s = self._to_send.wait_s(now, addresses)
        return _LOOK_AGAIN_S if wait_s is None else min(wait_s, _LOOK_AGAIN_S)

    def _target(self, address: SecretStr) -> Target:
        return self._targets.setdefault(address, Target(address, timeout_s=self._limits.try_s))

    def _try(self, pending: Pending, target: Target) -> None:
        try:
            target.tell(message_of(pending.event))
        except NotifyError as error:
            tried = _Tried(pending, "failed", self._clock(), str(error))
        else:
            tried = _Tried(pending, "sent", self._clock())
        self._tried.put(tried)
        self._woken.set()

    def _give_up(self, now: datetime, addresses: Mapping[str, SecretStr]) -> None:
        hopeless = [
            _Tried(each, "given up", now, reason)
            for each in self._to_send.left()
            if (reason := _why_to_give_up(each, now, addresses))
        ]
        portion = hopeless[:_GIVEN_UP_AT_ONCE]
        self._not_noted += portion
        self._note()
        for (target, reason), count in Counter((each.pending.target, each.detail) for each in portion).items():
            log.warning("%s: %s given up: %s", target, "1 alert" if count == 1 else f"{count} alerts", reason)

    def _note(self) -> None:
        """Note the outcomes of tries. Until then their targets get no other event, so few events are sent twice."""
        while not self._tried.empty():
            self._not_noted.append(self._tried.get())
        if not self._not_noted:
            return
        with self._database.write(self._limits.store_s) as cursor:
            for tried in self._not_noted:
                events.note_delivery(cursor, tried.pending.event.id, _as_noted(tried))
        noted, self._not_noted = self._not_noted, []
        for tried in noted:
            self._conclude(tried)

    def _conclude(self, tried: _Tried) -> None:
        target, rule = tried.pending.target, tried.pending.event.rule
        if tried.outcome == "failed":
            failures, wait_s = self._to_send.failed(tried.pending)
            level = logging.WARNING if failures == 1 else logging.INFO
            log.log(level, "%s: alert %s not sent, next try in %.1f s: %s", target, rule, wait_s, tried.detail)
            return
        self._to_send.done(tried.pending)
        if tried.outcome == "sent":
            log.info("%s: alert %s sent", target, rule)
        else:
            log.info("%s: alert %s given up: %s", target, rule, tried.detail)

    def _end(self) -> None:
        """Wait a moment for running tries, and note their outcomes."""
        deadline = time.monotonic() + _LAST_WAIT_S
        missing = self._to_send.busy - {tried.pending.target for tried in self._not_noted}
        with contextlib.suppress(queue.Empty):
            while missing and (left_s := deadline - time.monotonic()) > 0:
                tried = self._tried.get(timeout=left_s)
                self._not_noted.append(tried)
                missing.discard(tried.pending.target)
        try:
            self._note()
        except StoreError as error:
            log.warning("alerts that were sent may be sent again, because that could not be noted: %s", error)
        finally:
            self._lock.release()


def announce_events(database: Path) -> None:
    """Let the process that sends alerts know that this one noted events."""
    with contextlib.suppress(OSError):  # the file belongs to another user: the events are sent a little later
        beside(database, "alerts").touch()


def message_of(event: Event) -> Message:
    """The message that a target gets of an event."""
    at = event.at.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    over = event.event == "over"
    return Message(
        f"Tickwell: {event.rule}, {'over' if over else event.severity}",
        f"{event.text}\n{at} UTC, condition: {event.condition}",
        "success" if over else _KINDS[event.severity],
    )


def _why_to_give_up(pending: Pending, now: datetime, addresses: Mapping[str, SecretStr]) -> str:
    if pending.target not in addresses:
        return "its address is gone"
    if now - pending.event.noted_at > GIVE_UP_AFTER:
        return f"not sent within {GIVE_UP_AFTER.days} days"
    return ""


def _as_noted(tried: _Tried) -> events.Delivery:
    return events.Delivery(tried.pending.target, tried.outcome, tried.at, tried.detail, tried.pending.tries + 1)


def _changed_at(path: Path) -> int | None:
    """When a file was written last, in nanoseconds; None without the file."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
