"""A recorder that says each tick it made durable: `python -m tests.faults.witness <mode> <file with seconds> <zone>`.

Settings come from the environment, as for `python -m poller`. Its clock is ahead of the machine's by the seconds in the
file, its local time is that of the zone. A line on stdout is written after the commit has returned, so that what was
said was acknowledged; it begins with the time of that.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import settings as all_settings
from poller.logs import configure_logging
from poller.recorder import Recorder
from settings import TickwellError
from store import Cursor, Database, utc_now
from store.database import WAIT_S

Row = tuple[str, int, float, int]
"""Of a tick: its index, its time in microseconds, its price, and the seconds that it is an average over."""

_ROWS = """
SELECT index_name, epoch_us(ts), price, resolution_s
FROM ticks
WHERE rowid >= ?
"""


class Witnessed(Database):
    """Says what each transaction added to the ticks, once it is durable."""

    @contextlib.contextmanager
    def write(self, wait_s: float = WAIT_S) -> Iterator[Cursor]:
        added: list[Row] = []
        with super().write(wait_s) as cursor:
            ((before,),) = cursor.execute("SELECT count(*) FROM ticks").fetchall()
            yield cursor
            with contextlib.suppress(Exception):  # what the block did may have ended the transaction
                added = cast("list[Row]", cursor.execute(_ROWS, [before]).fetchall())
        if added:
            sys.stdout.write(json.dumps([time.time(), added]) + "\n")
            sys.stdout.flush()


def main(mode: str, ahead_file: str, zone: str) -> None:
    os.environ["TZ"] = zone
    time.tzset()
    settings = all_settings.load()
    configure_logging("WARNING")
    ahead = Path(ahead_file)

    def clock() -> datetime:
        return utc_now() + timedelta(seconds=float(ahead.read_text()))

    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    database = Witnessed(settings.database, settings.memory_limit)
    recorder = Recorder(settings, database, "embedded" if mode == "embedded" else "external", clock=clock)
    try:
        recorder.start()
        while not (stop.wait(0.02) or recorder.wait(0)):
            pass
        recorder.stop()
        if recorder.failure is not None:
            raise recorder.failure
    except TickwellError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
