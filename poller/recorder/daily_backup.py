"""The daily backup of a recorder's database."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from poller.timing.guard import guarded
from store.backup.backup import Made, backup
from store.backup.manifest import read_manifest
from store.errors import StoreError
from store.file.database import Database
from store.models import utc_now

log = logging.getLogger("tickwell.backup")

_LOOK_AGAIN_S = 60.0
_TRY_AGAIN = timedelta(hours=1)

# A lease of a backup takes up to 0.6 s, and may wait 5 s for the file.
_PATIENCE_S = 10.0


class _StoppedError(Exception):
    """The recorder stops while a backup is under way."""


class DailyBackup:
    """Backs up into a folder when a UTC day is over, and at the start if today's backup is missing.

    The backup has its own thread and leases, so a slot waits for it no longer than for another reader.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        stop: threading.Event,
        *,
        clock: Callable[[], datetime] = utc_now,
        look_again_s: float = _LOOK_AGAIN_S,
    ) -> None:
        self._database = database
        self._folder = folder
        self._stop = stop
        self._clock = clock
        self._look_again_s = look_again_s
        self._not_before: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="tickwell-backup", daemon=True)

    def start(self) -> None:
        """Start the thread; it ends when the stop event is set."""
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the thread: a process that ends while DuckDB works aborts."""
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            with guarded("backup"):
                self.back_up_if_due()
            self._stop.wait(self._look_again_s)

    def back_up_if_due(self) -> None:
        """Back up, unless today's backup is made or the last try failed less than an hour ago."""
        now = self._clock()
        if self._not_before is not None and now < self._not_before:
            return
        try:
            manifest = read_manifest(self._folder)
            if manifest is not None and manifest.made_at.date() >= now.date():
                return
            log.info(backup_in_words(backup(self._database, self._folder, self._go_on), self._folder))
        except _StoppedError:
            log.info("the backup under way ends with the recorder; the next start begins it anew")
        except StoreError as error:
            log.warning("no backup, trying again in an hour: %s", error)
            self._not_before = now + _TRY_AGAIN

    def _go_on(self, _done: int, _total: int) -> None:
        if self._stop.is_set():
            raise _StoppedError


def backup_in_words(made: Made, folder: Path) -> str:
    """One line that sums up a backup."""
    lacks = f"; left out: {'; '.join(made.left_out)}" if made.left_out else ""
    rows = ", ".join(f"{table} {count:,}" for table, count in made.rows.items())
    return f"backed up into {folder}: {rows}, days {made.days:,}, of which written {made.written:,}{lacks}"
