"""A recorder that prints each tick that it made durable.

`python -m tests.faults.witness <mode> <file with seconds> <zone> <certificate> [<port> <log>]`

Settings come from the environment, as for `python -m poller`, but proxies don't. Its clock is ahead by the
seconds in the file. Its local time is that of the zone. It trusts the certificate in a file, if one is named. In the
mode "dashboard" it is a whole dashboard on a port, on the machine's clock, with its log in a file.

Each line on stdout is written after the commit has returned, so its tick is acknowledged; it begins with the
time of the commit.
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
from typing import TextIO, cast
from unittest.mock import patch

import settings as all_settings
from poller.logs import configure_logging
from poller.recorder.recorder import Recorder
from settings import TickwellError
from store.file import shared
from store.file.database import WAIT_S, Cursor, Database
from store.models import utc_now

Row = tuple[str, int, float, int]
"""A tick: its index, its time in microseconds, its price, and the seconds that it is an average over."""

_OPTIONS = ("--server.headless=true", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false")

_ROWS = """
SELECT index_name, epoch_us(ts), price, resolution_s
FROM ticks
WHERE rowid >= ?
"""


class Witnessed(Database):
    """Prints the ticks of each transaction once it is durable."""

    out: TextIO = sys.stdout

    @contextlib.contextmanager
    def write(self, wait_s: float = WAIT_S) -> Iterator[Cursor]:
        added: list[Row] = []
        with super().write(wait_s) as cursor:
            ((before,),) = cursor.execute("SELECT count(*) FROM ticks").fetchall()
            yield cursor
            with contextlib.suppress(Exception):  # the block may have ended the transaction
                added = cast("list[Row]", cursor.execute(_ROWS, [before]).fetchall())
        if added:
            self.out.write(json.dumps([time.time(), added]) + "\n")
            self.out.flush()


def main(mode: str, ahead_file: str, zone: str, certificate: str = "", port: str = "", log: str = "") -> None:
    os.environ["TZ"] = zone
    time.tzset()
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    if certificate:
        os.environ["SSL_CERT_FILE"] = certificate
    if mode == "dashboard":
        show_pages(port, Path(log))
    else:
        record(mode, Path(ahead_file))


def show_pages(port: str, log: Path) -> None:
    """Be a dashboard until a signal ends it."""
    from streamlit.web.cli import main as streamlit

    Witnessed.out = os.fdopen(os.dup(1), "w")
    with log.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    with patch.object(shared, "Database", Witnessed):
        streamlit(["run", str(all_settings.ROOT / "dashboard.py"), "--server.port", port, *_OPTIONS])


def record(mode: str, ahead: Path) -> None:
    settings = all_settings.load()
    configure_logging("WARNING")

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
