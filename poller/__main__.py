"""The command line: `python -m poller` records; its other commands look, try once, heal, back up, or simulate."""

import asyncio
import contextlib
import json
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import click

import settings as all_settings
from settings import Settings
from store import Database, Exchange, Gap, Miss, StoreError, Tick
from store.backup import backup
from store.candles import rebuild as rebuild_candles
from store.clock import exchange_now
from store.due import EPOCH
from store.export_query import FORMATS, ExportQuery, Format
from store.export_verify import exported_files, faults_of_export
from store.exports import Export, Exports
from store.gap_table import rebuild as rebuild_gaps
from store.gaps import gap_as_json, ledger
from store.restore import restore
from store.status import age_in_words, aside_in_words, health
from store.verify import faults_of_backup, faults_of_database, what_it_holds

from .alert_commands import alerts
from .command_parts import database_of, known_indexes, load, one_line, progress_bar
from .command_types import INSTANT, INTERVAL
from .daily import DailyBackup, backup_in_words
from .http_client import check_environment
from .import_commands import import_from
from .once import backfill_once, poll_once
from .recorder import Recorder
from .simulator import Simulator

# How soon a signal, or the recorder's end, is noticed.
_LOOK_AGAIN_S = 0.1

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.group(invoke_without_command=True)
@click.version_option(all_settings.VERSION, prog_name="tickwell")
@click.pass_context
def main(context: click.Context) -> None:
    """Record index prices of the Deribit exchange. Without a command: run."""
    if context.invoked_subcommand is None:
        context.invoke(run)


@main.command()
@click.option("--backup", "folder", type=FOLDER, metavar="DIR", help="Back up into this folder once a day.")
@one_line
def run(folder: Path | None = None) -> None:
    """Record until stopped (SIGTERM, Ctrl+C)."""
    settings = load()
    database = database_of(settings)
    recorder = Recorder(settings, database, "external")
    # A handler may run in the midst of an Event's own work, and would wait for itself there: a SimpleQueue may be used.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    recorder.start()
    stop = threading.Event()
    if folder is not None:
        DailyBackup(database_of(settings), folder, stop).start()
    try:
        with _metrics_served(settings, database):
            while signals.empty() and not recorder.wait(0):
                time.sleep(_LOOK_AGAIN_S)
    finally:
        stop.set()
        _forget(signals)
        recorder.stop(hurried=lambda: not signals.empty())
    if recorder.failure is not None:
        raise recorder.failure


def _forget(signals: "queue.SimpleQueue[int]") -> None:
    while not signals.empty():
        signals.get()


@contextlib.contextmanager
def _metrics_served(settings: Settings, database: Database) -> Iterator[None]:
    """Serve metrics as long as the block lasts, where the settings ask for it."""
    if settings.metrics_port is None:
        yield
        return
    from .metrics import MetricsServer

    with MetricsServer(settings, database, settings.metrics_port):
        yield


@main.command()
@one_line
def once() -> None:
    """Record one tick of each index, now; exit 1 if one of them fails."""
    settings = load()
    _tell(asyncio.run(poll_once(settings, database_of(settings))))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="The object that /api/health answers.")
@one_line
def status(*, as_json: bool) -> None:
    """Say how recording goes; works beside a recorder and without one."""
    settings = load()
    report = health(database_of(settings), settings, exchange_now(settings.database))
    click.echo(json.dumps(report) if as_json else _report_in_words(report))


@main.command("gaps")
@click.option("--json", "as_json", is_flag=True, help="A list of objects, times in ISO 8601, UTC, half-open.")
@one_line
def list_gaps(*, as_json: bool) -> None:
    """List the gaps in the record: which slots, why, and what became of them."""
    settings = load()
    now = exchange_now(settings.database)
    with database_of(settings).read() as cursor:
        found = ledger(cursor, EPOCH, now, now)
    click.echo(json.dumps([gap_as_json(gap) for gap in found]) if as_json else _gaps_in_words(found))


@main.command()
@click.option("--index", "index_names", multiple=True, metavar="NAME", help="Only this index; may be given repeatedly.")
@one_line
def backfill(index_names: tuple[str, ...]) -> None:
    """Find gaps and heal them from the exchange's own history; works beside a recorder."""
    settings = load()
    database = database_of(settings)
    _require_known(index_names, database, settings)
    check_environment(settings, tells=False)
    click.echo(_healed_in_words(_backfill_with_a_bar(settings, database, index_names)))


@main.command("backup")
@click.argument("folder", metavar="DIR", type=FOLDER)
@one_line
def back_up(folder: Path) -> None:
    """Copy all tables to Parquet files in DIR; only days that changed are written. Works beside a recorder."""
    settings = load()
    with progress_bar("backing up") as tell:
        made = backup(database_of(settings), folder, tell)
    click.echo(backup_in_words(made, folder))


@main.command("restore")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--into", metavar="FILE", type=click.Path(path_type=Path), help="Instead of TICKWELL_DATABASE.")
@one_line
def restore_from(folder: Path, into: Path | None) -> None:
    """Make a new database file from the backup in DIR."""
    settings = load()
    database = Database(into or settings.database, settings.memory_limit)
    with progress_bar("restoring") as tell:
        manifest = restore(folder, database, tell)
    rows = sum(file.rows for file in manifest.tables["ticks"])
    click.echo(f"restored into {database.path}: ticks {rows:,}, as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@one_line
def verify(path: Path) -> None:
    """Read a database file, a backup or exports as a whole and say what is wrong with them; exit 1 if anything is."""
    settings = load()
    found = list(_faults(path, settings))
    for fault in found:
        click.echo(fault)
    if found:
        raise StoreError(f"{path} is damaged, faults: {len(found)}")
    click.echo(f"{path} is sound")


@main.command()
@one_line
def rebuild() -> None:
    """Make all candles anew of the ticks, and the gaps of what was noted of them; works beside a recorder."""
    database = database_of(load())
    with progress_bar("rebuilding") as tell:
        rebuild_candles(database, exchange_now(database.path), tell)
    with database.write() as cursor:
        rebuild_gaps(cursor)
    click.echo("candles and gaps rebuilt")


@main.command("export")
@click.option("--index", "index_names", multiple=True, metavar="NAME", help="Only this index; may be given repeatedly.")
@click.option("--start", type=INSTANT, default=EPOCH, help="From this time on, ISO 8601; UTC without a zone.")
@click.option("--end", type=INSTANT, help="Up to this time; now without it.")
@click.option(
    "--interval",
    type=INTERVAL,
    default="ticks",
    show_default=True,
    help="Candles of this length, such as 1m.",
)
@click.option("--format", "format_", type=click.Choice(FORMATS), default="parquet", show_default=True)
@click.option("--healed/--no-healed", default=True, help="With the points from the exchange's charts, or without.")
@click.option("--to", metavar="PATH", type=click.Path(path_type=Path), help="Copy it to this file, or into a folder.")
@one_line
def export_to(
    index_names: tuple[str, ...],
    start: datetime,
    end: datetime | None,
    interval: timedelta,
    format_: Format,
    *,
    healed: bool,
    to: Path | None,
) -> None:
    """Write ticks or candles into a Parquet, CSV or Excel file; works beside a recorder."""
    settings = load()
    database = database_of(settings)
    names = index_names or tuple(known_indexes(database, settings))
    _require_known(names, database, settings)
    query = ExportQuery(names, start, end or exchange_now(settings.database), interval, healed, format_)
    with progress_bar("exporting") as tell:
        made = Exports(database, settings.exports_limit_bytes).make(query, tell)
    click.echo(_exported_in_words(made, made.path if to is None else made.copy(to)))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8601, show_default=True, help="0 picks a free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other prices.")
def simulate(host: str, port: int, seed: int) -> None:
    """Serve made-up prices the way Deribit serves real ones, with faults on demand (POST /faults)."""
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


main.add_command(alerts)
main.add_command(import_from)


def _faults(path: Path, settings: Settings) -> Iterator[str]:
    if exported := exported_files(path):
        return chain.from_iterable(faults_of_export(file, settings.memory_limit) for file in exported)
    if (manifest := what_it_holds(path)) is not None:
        return faults_of_backup(path, manifest, settings.memory_limit)
    return faults_of_database(Database(path, settings.memory_limit))


def _require_known(index_names: Sequence[str], database: Database, settings: Settings) -> None:
    known = known_indexes(database, settings)
    for name in index_names:
        if name not in known:
            raise click.UsageError(f"--index {name}: must be one of {', '.join(known)}")


def _tell(outcomes: Sequence[Tick | Miss]) -> None:
    for outcome in outcomes:
        click.echo(_outcome_in_words(outcome))
    if any(isinstance(outcome, Miss) for outcome in outcomes):
        sys.exit(1)


def _outcome_in_words(outcome: Tick | Miss) -> str:
    if isinstance(outcome, Tick):
        return f"{outcome.index_name} {outcome.price} at {outcome.ts:%Y-%m-%d %H:%M:%S.%f} UTC ({outcome.source})"
    return f"{outcome.index_name}: {outcome.cause}, {outcome.detail}"


def _backfill_with_a_bar(settings: Settings, database: Database, index_names: Sequence[str]) -> list[Gap]:
    with click.progressbar(length=1, label="looking for gaps", file=sys.stderr) as bar:

        def tell(what: str, number: int, total: int) -> None:
            bar.label, bar.length = f"{what}, {number} of {total}", total
            bar.update(number - bar.pos)

        return asyncio.run(backfill_once(settings, database, index_names, tell))


def _exported_in_words(made: Export, path: Path) -> str:
    lines = [f"{path}: {made.query.kind} {made.rows:,}, bytes {made.bytes:,}, SHA-256 {made.sha256}"]
    if made.manifest["capped"]:
        lines.append("  cut: a sheet of Excel holds no more rows. Ask for less, or for Parquet or CSV")
    return "\n".join(lines)


def _healed_in_words(settled: Sequence[Gap]) -> str:
    return _gaps_in_words(settled) if settled else "nothing to heal"


def _gaps_in_words(found: Sequence[Gap]) -> str:
    lines = [
        f"{gap.index_name} {gap.start:%Y-%m-%d %H:%M:%S} to {gap.end:%Y-%m-%d %H:%M:%S} UTC, slots: {gap.slots}, "
        f"{gap.cause}, {gap.state}{f' by {gap.healed_by}' if gap.healed_by else ''}"
        for gap in found
    ]
    return "\n".join(lines) or "no gaps"


def _report_in_words(report: dict[str, Any]) -> str:
    lines = [f"{report['status']}: {report['poller']['words']}", f"database {report['database']['path']}"]
    if clock := report["poller"].get("clock"):
        lines.append(clock)
    if report["database"]["error"]:
        lines.append(report["database"]["error"])
    if report["database"]["exchange"] not in (None, Exchange.REAL):
        lines.append(f"prices of {report['database']['exchange']}")
    if report["database"]["set_aside"]:
        lines.append(f"files {aside_in_words(report['database']['set_aside'])}")
    lines += [
        f"{name} {index['price']}, {age_in_words(index['age_s'])}, ticks: {index['ticks']} since {index['first']}"
        for name, index in report["indexes"].items()
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
