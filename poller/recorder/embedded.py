"""The recorder in the dashboard's process."""

import atexit
import logging
import os
import threading
from datetime import datetime, timedelta

from poller.timing.guard import guarded
from poller.timing.pauses import Pauses
from settings import Settings, TickwellError
from store.errors import RecorderError, StoreError
from store.file.recorder import Notice, note_start, read_notice
from store.file.shared import shared_database
from store.models import utc_now

from .recorder import Recorder

log = logging.getLogger("tickwell.recorder")


_PAUSES = Pauses()


def start_embedded(settings: Settings, pauses: Pauses = _PAUSES) -> Recorder | None:
    """Start a recorder in this process, unless the settings choose another process or a recorder already runs.

    A page script may call this at each run: the recorder lock allows one recorder, and the notice tells whether a
    recorder of this process ended by itself too recently. The recorder stops with the process at the latest.

    Raises:
        StoreError: the database's folder can't be read or written.
        SettingsError: the rules of alerts can't be used.
    """
    try:
        return _started(settings, pauses)
    except RecorderError as error:
        log.warning("%s", error)
        return None


def _started(settings: Settings, pauses: Pauses) -> Recorder | None:
    """As `start_embedded`, but a recorder that runs without a notice raises RecorderError."""
    if settings.poller != "embedded":
        return None
    notice = read_notice(settings.database)
    if notice is not None and (notice.alive or too_soon(notice, utc_now(), pauses)):
        return None
    tries = notice.tries if notice is not None and _failed_here(notice) else 0
    recorder = Recorder(settings, shared_database(settings.database, settings.memory_limit), "embedded", tries=tries)
    try:
        recorder.start()
    except RecorderError:
        raise
    except StoreError as error:
        note_start(settings.database, str(error))
        raise
    note_start(settings.database)
    atexit.register(recorder.stop)
    return recorder


class Embedded:
    """Keeps a recorder running until `stop`: it replaces one that ended by itself, or that is gone from its process."""

    def __init__(self, settings: Settings, pauses: Pauses = _PAUSES) -> None:
        self._settings, self._pauses = settings, pauses
        self._recorder: Recorder | None = None
        self._wait_s = pauses.look_again_s
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="tickwell-keeper", daemon=True)

    def start(self) -> None:
        """Start a recorder and the thread that replaces it. After a StoreError the thread keeps trying.

        Raises: as `start_embedded`.
        """
        try:
            self._recorder = start_embedded(self._settings, self._pauses)
        except StoreError:
            self._wait_s = self._pauses.first.total_seconds()
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
        """Start a recorder unless one runs, in this process or in another one."""
        ended = self._recorder
        if ended is not None and (ended.failure is None or not ended.wait(0)):
            return
        another = None
        try:
            another = _started(self._settings, self._pauses)
        except RecorderError as error:
            log.debug("%s", error)  # `start` told of one that has no notice, and the others just began
        except TickwellError as error:
            log.error("not recording: %s", error)  # noqa: TRY400 one line
            self._wait_s = min(
                max(2 * self._wait_s, self._pauses.first.total_seconds()), self._pauses.longest.total_seconds()
            )
            return
        self._wait_s = self._pauses.look_again_s
        if another is not None:
            if ended is not None:
                atexit.unregister(ended.stop)
            self._recorder = another


def _failed_here(notice: Notice) -> bool:
    """Did a recorder of this process end by itself?"""
    return notice.state == "refused" and notice.host == "" and notice.pid == os.getpid()


def too_soon(notice: Notice, now: datetime, pauses: Pauses = _PAUSES) -> bool:
    """Did a recorder of this process end by itself less than a pause ago?"""
    ago = now + timedelta(seconds=notice.skew_s) - notice.state_since  # the notice keeps the exchange's time
    return _failed_here(notice) and timedelta(0) <= ago < pauses.after(notice.tries)
