"""The commands that record or simulate: `run`, `once`, `simulate`."""

import asyncio
import contextlib
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from poller.feeds.feed import Outcome
from poller.heap import share_one_heap
from poller.recorder.daily_backup import DailyBackup
from poller.recorder.once import poll_once
from poller.recorder.recorder import Recorder
from settings import Settings
from store.file.database import Database
from store.file.shared import shared_database
from store.models import Miss

from .parts import database_of, load, one_line
from .types import FOLDER
from .words import outcome_in_words

# How soon a signal, or the end of the recorder, is noticed.
_LOOK_AGAIN_S = 0.1


@click.command()
@click.option("--backup", "folder", type=FOLDER, metavar="DIR", help="Back up into this folder once a day.")
@one_line
def run(folder: Path | None = None) -> None:
    """Record until stopped (SIGTERM, Ctrl+C)."""
    share_one_heap()
    settings = load()
    database = shared_database(settings.database, settings.memory_limit)
    recorder = Recorder(settings, database, "external")
    # A signal handler may interrupt an Event's own work and would deadlock there. A SimpleQueue is safe.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    recorder.start()
    stop = threading.Event()
    backups = None if folder is None else DailyBackup(database_of(settings), folder, stop)
    if backups is not None:
        backups.start()
    try:
        with _metrics_served(settings, database):
            while signals.empty() and not recorder.wait(0):
                time.sleep(_LOOK_AGAIN_S)
    finally:
        stop.set()
        _forget(signals)
        recorder.stop(hurried=lambda: not signals.empty())
        if backups is not None:
            backups.join()
    if recorder.failure is not None:
        raise recorder.failure


def _forget(signals: "queue.SimpleQueue[int]") -> None:
    while not signals.empty():
        signals.get()


@contextlib.contextmanager
def _metrics_served(settings: Settings, database: Database) -> Iterator[None]:
    """Serve metrics during the block, where the settings ask for it."""
    if settings.metrics_port is None:
        yield
        return
    from poller.recorder.metrics_server import MetricsServer

    with MetricsServer(settings, database, settings.metrics_port):
        yield


@click.command()
@one_line
def once() -> None:
    """Record one tick of each index and one snapshot of each market now; exit 1 if one fails."""
    settings = load()
    _tell(asyncio.run(poll_once(settings, database_of(settings))))


def _tell(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        click.echo(outcome_in_words(outcome))
    if any(isinstance(outcome, Miss) for outcome in outcomes):
        sys.exit(1)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8601,
    show_default=True,
    help="Port to listen on; 0 picks a free one.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed gives other prices.")
def simulate(host: str, port: int, seed: int) -> None:
    """Serve simulated prices the way Deribit serves real ones, with faults on demand (POST /faults)."""
    from poller.simulator.server import Simulator  # takes 1 MB, which a recorder does not need

    simulator = Simulator(host, port, seed)
    try:
        simulator.start()
    except OSError as error:
        raise click.ClickException(f"--port {port} on {host} can't be used: {error.strerror}") from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with contextlib.suppress(KeyboardInterrupt):
        click.echo(f"Simulating Deribit: TICKWELL_DERIBIT_URL={simulator.url}, faults at {simulator.faults_url}")
        simulator.serve_forever()
