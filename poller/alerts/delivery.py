"""Telling people of alerts, beside a recorder: at least once, until it is noted in the database that they were told."""

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

from .backoff import FIRST_WAIT_S, Turns
from .notify import TIMEOUT_S, Kind, Message, NotifyError, Target

log = logging.getLogger("tickwell.alerts")

GIVE_UP_AFTER = timedelta(days=7)

# So often it looks at the clock, at the lock, and whether another process left events. The database is read only when
# there are some.
_LOOK_AGAIN_S = 1.0

# A recorder has 2 s to stop, and its own last write falls into them.
_LAST_WAIT_S = 0.8

# So many are given up in one transaction: some 20 ms.
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
    """What came of telling one target of one event, or of giving that up."""

    pending: Pending
    outcome: Outcome
    at: datetime
    detail: str = ""


class Delivery:
    """Tells targets what they are still to be told, in threads of its own: one message at a time for each target.

    One process at a time does so for a database file: it holds a lock beside it, from its first event on. A target that
    hangs holds up no other one, and none of them a slot: what came of a try is a small write.

    Args:
        database: that the events are noted in.
        addresses: where targets are told, by name; asked for each time.
        clock: of the recorder.
        gives_up: on what nobody took in a week, and on targets without an address. Else such events are left to others.
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
        self._turns = Turns(first_wait_s=limits.first_wait_s)
        self._tried: queue.SimpleQueue[_Tried] = queue.SimpleQueue()
        self._not_noted: list[_Tried] = []
        self._news = True
        self._left_at: int | None = None
        self._trouble = False
        self._woken, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="tickwell-delivery", daemon=True)

    def start(self) -> None:
        """Begin with what is left from before."""
        self._thread.start()

    def wake(self) -> None:
        """Events were noted: look at once."""
        self._news = True
        self._woken.set()

    def cease(self) -> None:
        """Begin nothing any more. What is under way may end within a second, else it is begun again another time."""
        self._stop.set()
        self._woken.set()

    def stop(self) -> None:
        """Cease, and wait for that."""
        self.cease()
        if self._thread.is_alive():
            self._thread.join(_LAST_WAIT_S + self._limits.store_s)

    @property
    def idle(self) -> bool:
        """Is nothing left that one of the targets is to be told?"""
        known = self._addresses()
        left = any(each.target in known for each in self._turns.left())
        return not (self._news or left or self._turns.busy)

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
        """Do what is due; in how many seconds to look again."""
        wait_s = _LOOK_AGAIN_S
        with self._trouble_told(), contextlib.suppress(NoDatabaseError):
            self._note()
            self._look_for_events()
            if self._turns.left() and self._holds_the_lock():
                wait_s = self._tell()
        return wait_s

    @contextlib.contextmanager
    def _trouble_told(self) -> Iterator[None]:
        """Log that the database can't be used, once until it can."""
        try:
            yield
        except StoreError as error:
            if not self._trouble:
                log.warning("alerts wait to be told: %s", error)
            self._trouble = True
        else:
            self._trouble = False

    def _look_for_events(self) -> None:
        """Read what is to be told, if there is anything new."""
        left_at = _changed_at(self._lock.path)
        if self._news or left_at != self._left_at:
            self._news = True
            with self._database.read(self._limits.store_s) as cursor:
                self._news = False
                self._turns.renew(events.pending(cursor))
            self._left_at = left_at

    def _holds_the_lock(self) -> bool:
        if self._lock.lost:
            self._lock.release()
            self._held = False
        if not self._held and self._lock.try_acquire():
            self._held = self._news = True  # whoever had it may have told some
            self._look_for_events()
        return self._held

    def _tell(self) -> float:
        """Begin to tell what is due; in how many seconds the next is, at most until it looks again anyway."""
        now, addresses = self._clock(), self._addresses()
        if self._gives_up:
            self._give_up(now, addresses)
        for pending in self._turns.due(now, addresses):
            self._turns.busy.add(pending.target)
            tell = partial(self._try, pending, self._target(addresses[pending.target]))
            threading.Thread(target=tell, name=f"tickwell-tell-{pending.target}", daemon=True).start()
        wait_s = self._turns.wait_s(now, addresses)
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
            for each in self._turns.left()
            if (reason := _why_to_give_up(each, now, addresses))
        ]
        portion = hopeless[:_GIVEN_UP_AT_ONCE]
        self._not_noted += portion
        self._note()
        for (target, reason), count in Counter((each.pending.target, each.detail) for each in portion).items():
            log.warning("%s will not be told of %s: %s", target, "1 alert" if count == 1 else f"{count} alerts", reason)

    def _note(self) -> None:
        """Note what came of tries. Until then nothing more is sent to their targets: so little is ever told twice."""
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
            failures, wait_s = self._turns.failed(tried.pending)
            level = logging.WARNING if failures == 1 else logging.INFO
            log.log(level, "%s not told of %s, again in %.1f s: %s", target, rule, wait_s, tried.detail)
            return
        self._turns.done(tried.pending)
        if tried.outcome == "sent":
            log.info("%s told of %s", target, rule)
        else:
            log.info("%s will not be told of %s: %s", target, rule, tried.detail)

    def _end(self) -> None:
        """Wait a moment for what is under way, and note what came of it."""
        deadline = time.monotonic() + _LAST_WAIT_S
        missing = self._turns.busy - {tried.pending.target for tried in self._not_noted}
        with contextlib.suppress(queue.Empty):
            while missing and (left_s := deadline - time.monotonic()) > 0:
                tried = self._tried.get(timeout=left_s)
                self._not_noted.append(tried)
                missing.discard(tried.pending.target)
        try:
            self._note()
        except StoreError as error:
            log.warning("not noted, so they may be told again: %s", error)
        finally:
            self._lock.release()


def leave_word(database: Path) -> None:
    """Let the process that tells people know that this one noted events."""
    with contextlib.suppress(OSError):  # it belongs to another user: then they are told at the next occasion
        beside(database, "alerts").touch()


def message_of(event: Event) -> Message:
    """What a target is told of an event."""
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
        return f"not told within {GIVE_UP_AFTER.days} days"
    return ""


def _as_noted(tried: _Tried) -> events.Delivery:
    return events.Delivery(tried.pending.target, tried.outcome, tried.at, tried.detail, tried.pending.tries + 1)


def _changed_at(path: Path) -> int | None:
    """When a file was written last, as a number; None while there is none."""
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return None
