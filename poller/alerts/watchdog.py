"""Watches, from the dashboard, over a recorder in a process of its own, and sends a message when it is gone."""

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
from store.alerts.judge import EventMaker
from store.alerts.rules.rules import Rule, named
from store.errors import NoDatabaseError, StoreError
from store.file.database import Cursor, Database
from store.file.recorder import Notice, process_in_words, read_notice
from store.file.shared import shared_database
from store.instants import stale_after_s
from store.models import Exchange, utc_now
from store.prices import ticks

from .delivery import Delivery, announce_events
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
        hand_over_s: how long it tries to send that the recorder is back, before it leaves that to the recorder.
    """

    look_s: float = 1.0
    hand_over_s: float = 5.0


class Watchdog:
    """Notes that the recorder is gone, and that it is back, and sends both to NOTIFY_URLS.

    While the recorder is gone, the watchdog also sends the events that the recorder noted and did not send, as far as
    it knows their targets. It ignores a recorder that never started.
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
        self._maker = EventMaker({RULE.name: tuple(self._addresses)}, Exchange.SIMULATOR if settings.demo else None)
        self._missed_at: datetime | None = None
        self._known_gone: bool | None = None  # None until it is read
        self._delivery: Delivery | None = None
        self._hand_over_at = 0.0
        self._trouble = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; a running message may end within a second."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._end_delivery()

    def _run(self) -> None:
        while not self._stop.wait(self._limits.look_s):
            with guarded("watchdog"):
                self.look()

    def look(self) -> None:
        """Look at the recorder, and note and send what changed."""
        try:
            notice = read_notice(self._database.path)
            if notice is not None and notice.mode in ("embedded", "external"):  # other modes don't last
                self._alive(notice) if notice.alive else self._missing(notice)
        except NoDatabaseError:
            self._trouble = False  # the file does not exist: the recorder makes it
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
        if not self._known_gone:
            self._note("fired", now, lambda cursor: _gone_in_words(notice, cursor))
            self._known_gone = True
            self._deliver()

    def _alive(self, notice: Notice) -> None:
        self._missed_at = None
        if self._known_gone is None:
            with self._database.read(_STORE_WAIT_S) as cursor:
                self._known_gone = _stands(cursor)
        if self._known_gone:
            who = process_in_words(notice)
            words = f"The recorder is back, {who}, since {notice.since:%Y-%m-%d %H:%M:%S} UTC"
            self._note("over", self._clock(), lambda _: words)
            self._known_gone = False
            self._deliver()
            self._hand_over_at = time.monotonic() + self._limits.hand_over_s
        elif self._delivery is not None and (self._delivery.idle or time.monotonic() > self._hand_over_at):
            self._end_delivery()

    def _note(self, event: Kind, now: datetime, said: Callable[[Cursor], str]) -> None:
        """Note that the recorder is gone or back, unless any process noted that already."""
        with self._database.write(_STORE_WAIT_S) as cursor:
            if _stands(cursor) == (event == "fired"):
                return
            noted = self._maker.event(RULE, CONDITION, "", event, now, now, said(cursor))
            events.append(cursor, [noted])
        log.warning("%s", noted.text)
        announce_events(self._database.path)

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
    """Watch over the recorder from this process, where another process records and NOTIFY_URLS has addresses.

    It may be called at each run of a page script: one process has one watchdog. It stops at the process's end.

    Raises:
        SettingsError: apprise doesn't know one of NOTIFY_URLS, or an environment variable can't be used.
    """
    # The thread's name keeps it single: Streamlit imports modules again when their files change.
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
    """Is the newest note that the recorder is gone, and not that it is back?"""
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
