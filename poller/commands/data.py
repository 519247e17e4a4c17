"""The commands that heal, copy or rebuild the record: `backfill`, `backup`, `restore`, `rebuild`, `export`."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import click

from poller.network.http_client import check_environment
from poller.recorder.daily_backup import backup_in_words
from poller.recorder.once import backfill_once
from settings import Settings
from store.backup.backup import backup
from store.backup.restore import restore
from store.export.files import Exports
from store.export.query import COLUMNS, FORMATS, SUFFIXES, Columns, ExportQuery, Format
from store.export.selection import of_series, other_feeds, series_of
from store.file.clock import exchange_now
from store.file.database import Database
from store.instants import EPOCH
from store.ledger.gap_table import rebuild as rebuild_gaps
from store.market.chains import rebuild as rebuild_surfaces
from store.models import Gap
from store.prices.candles import rebuild as rebuild_candles

from .parts import database_of, known_indexes, load, one_line, progress_bar
from .types import FOLDER, INSTANT, INTERVAL, PATH
from .words import exported_in_words, healed_in_words


@click.command()
@click.option("--index", "index_names", multiple=True, metavar="NAME", help="Only this index; may be given repeatedly.")
@one_line
def backfill(index_names: tuple[str, ...]) -> None:
    """Find gaps and heal them from the exchange's own history; works beside a recorder."""
    settings = load()
    database = database_of(settings)
    _require_known(index_names, known_indexes(database, settings))
    check_environment(settings, tells=False)
    click.echo(healed_in_words(_backfill_with_a_bar(settings, database, index_names)))


@click.command("backup")
@click.argument("folder", metavar="DIR", type=FOLDER)
@one_line
def back_up(folder: Path) -> None:
    """Copy all tables to Parquet files in DIR; only days that changed are written. Works beside a recorder."""
    settings = load()
    with progress_bar("backing up") as tell:
        made = backup(database_of(settings), folder, tell)
    click.echo(backup_in_words(made, folder))


@click.command("restore")
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--into", metavar="FILE", type=PATH, help="The new file, in place of TICKWELL_DATABASE.")
@one_line
def restore_from(folder: Path, into: Path | None) -> None:
    """Make a new database file from the backup in DIR."""
    settings = load()
    database = Database(into or settings.database, settings.memory_limit)
    with progress_bar("restoring") as tell:
        manifest = restore(folder, database, tell)
    rows = ", ".join(f"{table} {count:,}" for table, count in manifest.rows_of_kinds.items())
    click.echo(f"restored into {database.path}: {rows}, as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")


@click.command()
@one_line
def rebuild() -> None:
    """Rebuild candles from ticks, gaps from their events, smiles and surfaces from chains; works beside a recorder."""
    database = database_of(load())
    with progress_bar("rebuilding candles") as tell:
        rebuild_candles(database, exchange_now(database.path), tell)
    with database.write() as cursor:
        rebuild_gaps(cursor)
    with progress_bar("rebuilding smiles and surfaces") as tell:
        rebuild_surfaces(database, tell)
    click.echo("candles, gaps, smiles and surfaces rebuilt")


@click.command("export")
@click.option(
    "--index",
    "index_names",
    multiple=True,
    metavar="NAME",
    help="Only this index, or this market of --series; may be given repeatedly.",
)
@click.option(
    "--series",
    metavar="SERIES",
    help="Rows of markets in place of prices: options, futures, dvol, funding, deliveries, smiles or surfaces.",
)
@click.option("--start", type=INSTANT, default=EPOCH, help="From this time on, ISO 8601; UTC without a zone.")
@click.option("--end", type=INSTANT, help="Up to this time; now if left out.")
@click.option(
    "--interval",
    type=INTERVAL,
    default="ticks",
    show_default=True,
    help="Candles of this length, such as 1m.",
)
@click.option("--columns", type=click.Choice(COLUMNS), default="own", help="Of options, those of Tardis as well.")
@click.option("--format", "format_", type=click.Choice(FORMATS), help="As --to ends; parquet if that says nothing.")
@click.option("--healed/--no-healed", default=True, help="With or without the points from the exchange's charts.")
@click.option("--to", metavar="PATH", type=PATH, help="Copy it to this file, or into a folder.")
@one_line
def export_to(
    index_names: tuple[str, ...],
    series: str | None,
    start: datetime,
    end: datetime | None,
    interval: timedelta,
    columns: Columns,
    format_: Format | None,
    *,
    healed: bool,
    to: Path | None,
) -> None:
    """Write ticks, candles or rows of a market into a Parquet, CSV or Excel file; works beside a recorder."""
    format_ = _format_of(to, format_)
    settings = load()
    database = database_of(settings)
    indexes = known_indexes(database, settings)
    with database.read() as cursor:
        feeds = _feeds(index_names, series, indexes, other_feeds(cursor))
    query = ExportQuery(feeds, start, end or exchange_now(settings.database), interval, healed, format_, columns)
    with progress_bar("exporting") as tell:
        made = Exports(database, settings.exports_limit_bytes).make(query, tell)
    click.echo(exported_in_words(made, made.path if to is None else made.copy(to)))


def _format_of(to: Path | None, said: Format | None) -> Format:
    """The format of an export, as the user says it or as the name of its file does."""
    if to is None or to.is_dir():
        return said or "parquet"
    found = next((each for each, suffix in SUFFIXES.items() if to.name.endswith(f".{suffix}")), None)
    if found is None:
        endings = ", ".join(f".{suffix}" for suffix in SUFFIXES.values())
        raise click.UsageError(f"--to {to}: must be a folder that exists, or the name of a file that ends in {endings}")
    if said not in {None, found}:
        raise click.UsageError(f"--to {to} is the name of a {found} file, and --format says {said}")
    return found


def _feeds(names: Sequence[str], series: str | None, indexes: Sequence[str], others: Sequence[str]) -> tuple[str, ...]:
    """The feeds to export: the named ones, else all of the series, or all indexes."""
    if series is None:
        _require_known(names, [*indexes, *others])
        return tuple(names or indexes)
    known = of_series(others, series)
    if not known:
        stored = ", ".join(series_of(others))
        raise click.UsageError(f"--series {series}: {f'must be one of {stored}' if stored else 'no rows are stored'}")
    _require_known(names, known)
    return tuple(f"{series}/{name}" for name in names or known)


def _require_known(index_names: Sequence[str], known: Sequence[str]) -> None:
    for name in index_names:
        if name not in known:
            raise click.UsageError(f"--index {name}: must be one of {', '.join(known)}")


def _backfill_with_a_bar(settings: Settings, database: Database, index_names: Sequence[str]) -> list[Gap]:
    with click.progressbar(length=1, label="looking for gaps", file=sys.stderr) as bar:

        def tell(what: str, number: int, total: int) -> None:
            bar.label, bar.length = f"{what}, {number} of {total}", total
            bar.update(number - bar.pos)

        return asyncio.run(backfill_once(settings, database, index_names, tell))
