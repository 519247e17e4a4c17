"""The recorder inside a dashboard's process."""

import atexit
import logging
import os
import threading
from datetime import datetime, timedelta

from poller.timing.guard import guarded
from settings import Settings, TickwellError
from store.errors import RecorderError, StoreError
from store.file.recorder import Notice, read_notice
from store.file.shared import shared_database
from store.models import utc_now

from .recorder import Recorder

log = logging.getLogger("tickwell.recorder")

# After a recorder that ended by itself another one is started: first this soon, twice as late each time.
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(minutes=10)

_LOOK_AGAIN_S = 1.0


def start_embedded(settings: Settings) -> Recorder | None:
    """Record from this process, unless the settings leave that to another one, or another one already does.

    It may be called at each run of a page script: the recorder lock keeps the recorder single, and the notice tells
    whether it is too soon after one of this process that ended by itself. Whoever starts one need not stop it; it then
    stops with the process.

    Raises:
        StoreError: the database's folder can't be read or written.
        SettingsError: the rules of alerts can't be used.
    """
    if settings.poller != "embedded":
        return None
    notice = read_notice(settings.database)
    if notice is not None and (notice.alive or _too_soon(notice, utc_now())):
        return None
    tries = notice.tries if notice is not None and _failed_here(notice) else 0
    recorder = Recorder(settings, shared_database(settings.database, settings.memory_limit), "embedded", tries=tries)
    try:
        recorder.start()
    except RecorderError as error:
        log.warning("%s", error)
        return None
    atexit.register(recorder.stop)
    return recorder


class Embedded:
    """Keeps recording from this process until it is stopped: a recorder that ended by itself is followed by another."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._recorder: Recorder | None = None
        self._wait_s = _LOOK_AGAIN_S
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tickwell-keeper", daemon=True)

    def start(self) -> None:
        """Begin. After a StoreError it goes on trying.

        Raises: as `start_embedded`.
        """
        try:
            self._recorder = start_embedded(self._settings)
        except StoreError:
            self._wait_s = _FIRST_PAUSE.total_seconds()
            self._thread.start()
            raise
        self._thread.start()

    def stop(self) -> None:
        """Stop the recorder."""
        self._done.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._recorder is not None:
            self._recorder.stop()

    def _watch(self) -> None:
        while not self._done.wait(self._wait_s):
            with guarded("recorder"):
                self._start_another()

    def _start_another(self) -> None:
        """Start a recorder if ours ended by itself, or could not be started."""
        ended = self._recorder
        if self._wait_s == _LOOK_AGAIN_S and (ended is None or ended.failure is None or not ended.wait(0)):
            return
        try:
            another = start_embedded(self._settings)
        except TickwellError as error:
            log.error("not recording: %s", error)  # noqa: TRY400 one line
            self._wait_s = min(max(2 * self._wait_s, _FIRST_PAUSE.total_seconds()), _LONGEST_PAUSE.total_seconds())
            return
        self._wait_s = _LOOK_AGAIN_S
        if another is not None:
            if ended is not None:
                atexit.unregister(ended.stop)
            self._recorder = another


def _failed_here(notice: Notice) -> bool:
    """Did a recorder of this process end by itself?"""
    return notice.state == "refused" and notice.host == "" and notice.pid == os.getpid()


def _too_soon(notice: Notice, now: datetime) -> bool:
    pause = min(_FIRST_PAUSE * 2 ** min(max(notice.tries, 1) - 1, 10), _LONGEST_PAUSE)
    ago = now + timedelta(seconds=notice.skew_s) - notice.state_since  # the notice keeps the exchange's time
    return _failed_here(notice) and timedelta(0) <= ago < pause
