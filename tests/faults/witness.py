"""A recorder that prints each tick and each snapshot that it made durable.

`python -m tests.faults.witness <mode> <file with seconds> <zone> <certificate> [<port> <log>]`

Settings come from the environment, as for `python -m poller`, but proxies don't. Its clock is ahead by the
seconds in the file. Its local time is that of the zone. It trusts the certificate in a file, if one is named. In the
mode "dashboard" it is a whole dashboard on a port, on the machine's clock, with its log in a file. In the mode
"market" it records some feeds of its markets at periods of seconds.

Each line on stdout is written after the commit has returned, so its ticks and snapshots are acknowledged; it begins
with the time of the commit.
"""

import contextlib
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, TextIO, cast
from unittest.mock import patch

import settings as all_settings
from poller.feeds.chosen import indexes_of
from poller.feeds.dvol import dvol_feeds
from poller.feeds.feed import Feed
from poller.feeds.futures import future_feed
from poller.feeds.log import LogFeed
from poller.feeds.options import option_feeds
from poller.logs import configure_logging
from poller.recorder.recorder import Recorder
from settings import TickwellError
from store.file import shared
from store.file.database import WAIT_S, Cursor, Database
from store.models import utc_now

MARKET_S = 4
"""The seconds between two slots of futures and of chains."""

Row = tuple[str, int, float, int]
"""A tick: its index, its time in microseconds, its price, and the seconds that it is an average over."""

Arrival = tuple[str, int, int, int]
"""A snapshot: its feed, its time and the time of receipt in microseconds, and the number of its rows."""

_OPTIONS = ("--server.headless=true", "--server.address=127.0.0.1", "--browser.gatherUsageStats=false")

_ROWS = """
SELECT index_name, epoch_us(ts), price, resolution_s
FROM ticks
WHERE rowid >= ?
"""

_ARRIVALS = """
SELECT feed, epoch_us(ts), epoch_us(received_at), rows
FROM snapshots
WHERE rowid >= ?
"""

_COUNTS = "SELECT (FROM ticks SELECT count(*)), (FROM snapshots SELECT count(*))"


class Witnessed(Database):
    """Prints the ticks and the snapshots of each transaction once it is durable, a line at a time."""

    out: TextIO = sys.stdout
    alone = threading.Lock()

    @contextlib.contextmanager
    def write(self, wait_s: float = WAIT_S) -> Iterator[Cursor]:
        added: list[Row] = []
        arrived: list[Arrival] = []
        with super().write(wait_s) as cursor:
            ((ticks, snapshots),) = cursor.execute(_COUNTS).fetchall()
            yield cursor
            with contextlib.suppress(Exception):  # the block may have ended the transaction
                added = cast("list[Row]", cursor.execute(_ROWS, [ticks]).fetchall())
                arrived = cast("list[Arrival]", cursor.execute(_ARRIVALS, [snapshots]).fetchall())
        if added or arrived:
            line = json.dumps([time.time(), added, arrived]) + "\n"
            with self.alone:  # a long line of another thread may be under way
                self.out.write(line)
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
    its_mode: Literal["embedded", "external"] = "embedded" if mode == "embedded" else "external"
    feeds = feeds_of_markets(settings) if mode == "market" else None
    recorder = Recorder(settings, database, its_mode, clock=clock, feeds=feeds)
    try:
        recorder.start()
        while not (stop.wait(0.02) or recorder.wait(0)):
            pass
        recorder.stop()
        if recorder.failure is not None:
            raise recorder.failure
    except TickwellError as error:
        sys.exit(f"Error: {error}")


def feeds_of_markets(settings: all_settings.Settings) -> list[Feed | LogFeed]:
    """The indexes, the futures and one log of the first market, and the chains of all, with slots each few seconds."""
    period, first = timedelta(seconds=MARKET_S), settings.markets[0]
    return [
        *indexes_of(settings),
        future_feed(first, period),
        *option_feeds(settings.markets, period),
        replace(dvol_feeds(first, period)[1], reach=timedelta(days=5)),
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
