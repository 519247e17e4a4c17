"""The publisher of a recorder: a process that shares the record by a lake, started, watched and brought back.

Publishing takes more memory than recording, and a bucket may let it hang. In a process of its own it costs no slot.

The module is imported only when LAKE is set.
"""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from signal import Signals
from typing import IO, cast

from poller.timing.guard import guarded
from poller.timing.pauses import Pauses
from settings import ROOT, Settings, environment_of_publisher
from store.lake.notice import is_published
from store.words import duration

log = logging.getLogger("tickwell.lake")

_COMMAND = (sys.executable, "-m", "poller", "lake", "publish", "--with-recorder")

_PAUSES = Pauses()

_ERROR = "Error: "
"""The command line begins the line with it that says why a command failed."""

# A publisher that waits for its bucket hears nothing. The lake takes no harm from one that is killed.
_ENDS_WITHIN_S = 2.0


class Publisher:
    """Keeps a publisher of a recorder's file running, from `start` to `stop`, each called once.

    While another process publishes the file, such as one that was started by hand, it waits for the end of that one.
    """

    def __init__(
        self,
        settings: Settings,
        pauses: Pauses = _PAUSES,
        command: Sequence[str] = _COMMAND,
        ends_within_s: float = _ENDS_WITHIN_S,
    ) -> None:
        self._settings, self._pauses, self._command, self._ends_within_s = settings, pauses, command, ends_within_s
        self._tries = 0
        self._waits = False
        self._done = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._run, name="tickwell-publisher", daemon=True)

    def start(self) -> None:
        """Start the thread that keeps the process."""
        self._thread.start()

    def cease(self) -> None:
        """Let the process end, and don't wait for that. Any thread may call it, also before `start`."""
        self._done.set()
        if self._process is not None:
            _let_end(self._process)

    def stop(self) -> None:
        """End the process; kill it if it does not end soon."""
        self.cease()
        self._thread.join(self._ends_within_s)
        if self._process is not None and self._thread.is_alive():
            self._process.kill()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.is_set():
            pause = self._pauses.first
            with guarded("publisher"):
                pause = self._kept()
            self._done.wait(pause.total_seconds())

    def _kept(self) -> timedelta:
        """Keep a process until it ends; return the pause before the next one."""
        path = self._settings.database
        if is_published(path):
            if not self._waits:
                log.info("%s is being published by another process", path.name)
            self._waits = True
            return self._pauses.first
        self._waits = False
        began = time.monotonic()
        cause = self._until_it_ends()
        lasted_long = time.monotonic() - began > self._pauses.longest.total_seconds()
        self._tries = 1 if lasted_long else self._tries + 1
        pause = self._pauses.after(self._tries)
        if not self._done.is_set():
            log.warning("the publisher ended, starting another one in %s: %s", duration(pause), cause)
        return pause

    def _until_it_ends(self) -> str:
        """Start a process, hand on what it logs, and return why it ended."""
        try:
            process = self._started()
        except OSError as error:
            return f"it can't be started: {error.strerror}"
        cause = ""
        with process:
            for line in process.stderr or ():
                if line.startswith(_ERROR):
                    cause = line.removeprefix(_ERROR).strip()
                else:
                    sys.stderr.write(line)
        return cause or _end_in_words(process.returncode)

    def _started(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 our own program
            self._command,
            cwd=ROOT,
            env=environment_of_publisher(self._settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl+C in a terminal is for the recorder, which then ends the publisher
        )
        self._process = process
        if self._done.is_set():  # `cease` came before there was a process
            _let_end(process)
        return process


def _let_end(process: subprocess.Popen[str]) -> None:
    """Close its standard input: it ends with that."""
    cast("IO[str]", process.stdin).close()


def _end_in_words(code: int) -> str:
    return f"killed by {Signals(-code).name}" if code < 0 else f"exit code {code}"
