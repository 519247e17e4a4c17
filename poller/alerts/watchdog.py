"""Watches, from a dashboard's process, over a recorder in a process of its own: when that is gone, people are told."""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from poller.network.http_client import check_environment
from poller.timing.guard import guarded
from settings import Settings
from store.alerts import events
from store.alerts.events import Kind
from store.alerts.judge import Company
from store.alerts.rules.rules import Rule, named
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor, Database
from store.file.recorder import Notice, process_in_words, read_notice
from store.file.shared import shared_database
from store.health.status import stale_after_s
from store.models import Exchange, utc_now
from store.prices import ticks

from .delivery import Delivery, leave_word
from .judging import check_addresses

log = logging.getLogger("tickwell.alerts")

RULE = Rule(name="Recorder", severity="critical")
CONDITION = "recorder is gone"

_STORE_WAIT_S = 0.9


@dataclass(frozen=True)
class Limits:
    """The numbers of a watchdog.

    Attributes:
        look_s: how often it looks at the recorder.
        hand_over_s: how long it tries to tell that the recorder is back, before it leaves that to the recorder.
    """

    look_s: float = 1.0
    hand_over_s: float = 5.0


class Watchdog:
    """Notes that the recorder is gone, and that it is back, and tells NOTIFY_URLS of both.

    While it is gone, events that it noted and did not deliver are told as well, as far as their targets are known here.
    A recorder that was never started is none that could be gone.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        name: str = "tickwell-watchdog",
        limits: Limits = Limits(),
    ) -> None:
        self._database, self._clock, self._limits = database, clock, limits
        self._patience = timedelta(seconds=stale_after_s(settings.poll_seconds))
        self._addresses = named(settings.notify_urls)
        self._company = Company({RULE.name: tuple(self._addresses)}, Exchange.SIMULATOR if settings.demo else None)
        self._missed_at: datetime | None = None
        self._told_gone: bool | None = None  # None until it is read
        self._delivery: Delivery | None = None
        self._hand_over_at = 0.0
        self._trouble = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; a message that is under way may end within a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end_delivery()

    def _run(self) -> None:
        while not self._stop.wait(self._limits.look_s):
            with guarded("watchdog"):
                self.look()

    def look(self) -> None:
        """See how the recorder fares, and do what follows from that."""
        try:
            notice = read_notice(self._database.path)
            if notice is not None and notice.mode in ("embedded", "external"):  # others don't stay
                self._alive(notice) if notice.alive else self._missing(notice)
        except NoDatabaseError:
            self._trouble = False  # none is there yet, or any more: the recorder makes one
        except StoreError as error:
            if not self._trouble:
                log.warning("the recorder can't be watched: %s", error)
            self._trouble = True
        else:
            self._trouble = False

    def _missing(self, notice: Notice) -> None:
        now = self._clock()
        self._missed_at = self._missed_at or now
        if now - self._missed_at <= self._patience:
            return
        if not self._told_gone:
            self._note("fired", now, lambda cursor: _gone_in_words(notice, cursor))
            self._told_gone = True
            self._deliver()

    def _alive(self, notice: Notice) -> None:
        self._missed_at = None
        if self._told_gone is None:
            with self._database.read(_STORE_WAIT_S) as cursor:
                self._told_gone = _stands(cursor)
        if self._told_gone:
            who = process_in_words(notice)
            words = f"The recorder is back, {who}, since {notice.since:%Y-%m-%d %H:%M:%S} UTC"
            self._note("over", self._clock(), lambda _: words)
            self._told_gone = False
            self._deliver()
            self._hand_over_at = time.monotonic() + self._limits.hand_over_s
        elif self._delivery is not None and (self._delivery.idle or time.monotonic() > self._hand_over_at):
            self._end_delivery()

    def _note(self, event: Kind, now: datetime, said: Callable[[Cursor], str]) -> None:
        """Note that it is gone or back, unless that was noted, and by whomever."""
        with self._database.write(_STORE_WAIT_S) as cursor:
            if _stands(cursor) == (event == "fired"):
                return
            noted = self._company.event(RULE, CONDITION, "", event, now, now, said(cursor))
            events.append(cursor, [noted])
        log.warning("%s", noted.text)
        leave_word(self._database.path)

    def _deliver(self) -> None:
        if self._delivery is None:
            self._delivery = Delivery(self._database, lambda: self._addresses, clock=self._clock, gives_up=False)
            self._delivery.start()
        self._delivery.wake()

    def _end_delivery(self) -> None:
        if self._delivery is not None:
            self._delivery.stop()
            self._delivery = None


def start_watchdog(
    settings: Settings, *, clock: Callable[[], datetime] = utc_now, limits: Limits = Limits()
) -> Watchdog | None:
    """Watch over the recorder from this process, where another one records and somebody is to be told.

    It may be called at each run of a page script: one watchdog a process is enough. Whoever starts it need not stop it.

    Raises:
        SettingsError: apprise doesn't know one of NOTIFY_URLS, or a variable of the environment can't be used.
    """
    # The name of a thread keeps it single: Streamlit imports modules anew when their files change.
    name = f"tickwell-watchdog {settings.database}"
    if settings.poller != "external" or not settings.notify_urls or name in _thread_names():
        return None
    check_addresses(settings)
    check_environment(settings, tells=True)
    database = shared_database(settings.database, settings.memory_limit)
    watchdog = Watchdog(settings, database, clock=clock, name=name, limits=limits)
    watchdog.start()
    atexit.register(watchdog.stop)
    return watchdog


def _thread_names() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def _stands(cursor: Cursor) -> bool:
    """Was it noted that the recorder is gone, and not that it is back?"""
    standing = events.standings(cursor).get((RULE.name, CONDITION, ""))
    return standing is not None and standing.event == "fired"


def _gone_in_words(notice: Notice, cursor: Cursor) -> str:
    who = f"The recorder, {process_in_words(notice)},"
    since = notice.state_since
    if notice.state == "refused":
        return f"{who} ended at {since:%Y-%m-%d %H:%M:%S} UTC: {notice.detail}"
    if notice.state == "stopped":
        return f"{who} was stopped at {since:%Y-%m-%d %H:%M:%S} UTC"
    seen = [tick.ts for name in notice.indexes if (tick := ticks.latest(cursor, name)) is not None]
    return f"{who} is gone without a word since {max([since, *seen]):%Y-%m-%d %H:%M:%S} UTC"
