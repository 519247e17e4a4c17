"""The commands of a shared lake: `lake create`, `lake publish`, `lake status`, `lake verify`, `lake restore`."""

import json
import queue
import re
import signal
from pathlib import Path, PurePosixPath

import click

import settings as all_settings
from poller.publisher.parent import end_with_recorder
from settings import Settings
from store.backup.spare import restore_from_lake
from store.errors import StoreError
from store.file.clock import exchange_now
from store.file.database import Database
from store.lake import tables
from store.lake.connection import Lake
from store.lake.notice import Desk, Notice, desk, read_notice
from store.lake.publish import publish
from store.lake.status import status
from store.lake.verify import compare
from store.models import utc_now

from .parts import database_of, load, one_line, progress_bar
from .publishing import publish_until
from .types import PATH

_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/\S*)?")


@click.group()
def lake() -> None:
    """Share the record with other machines: a catalog in PostgreSQL, Parquet files in a bucket or a folder."""


@lake.command()
@click.argument("place", metavar="URL")
@one_line
def create(place: str) -> None:
    """Make the lake of TICKWELL_LAKE, with its files in URL: s3://bucket/folder, or a folder that all machines see."""
    if not (_BUCKET.fullmatch(place) or PurePosixPath(place).is_absolute()):
        raise click.UsageError(f"{place}: must be s3://bucket/folder, or the absolute path of a folder")
    shared = _lake_of(load())
    with shared.made(place) as cursor:
        tables.make(cursor, utc_now())
    click.echo(f"{shared.where} is made, with its files in {place}")


@lake.command("publish")
@click.option("--once", is_flag=True, help="Publish once and end; otherwise once a minute until stopped.")
@click.option("--all", "everything", is_flag=True, help="Look at all days first, not only at what is new.")
@click.option("--with-recorder", is_flag=True, hidden=True, help="End when standard input ends.")
@one_line
def publish_to(*, once: bool, everything: bool, with_recorder: bool) -> None:
    """Put into the lake what it lacks of the database; works beside a recorder."""
    settings = load()
    database, shared = database_of(settings), _lake_of(settings)
    with desk(database.path) as place:
        if everything:
            place.put(Notice(conflicts=place.notice.conflicts))
        if once:
            with progress_bar("publishing") as tell:
                made = publish(database, shared, place, exchange_now(database.path), tell)
            click.echo(f"published into {shared.where}: rows {made.rows:,}")
        else:
            _until_stopped(database, shared, place, with_recorder=with_recorder)


@lake.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print an object with times in ISO 8601.")
@one_line
def tell_status(*, as_json: bool) -> None:
    """Say what is in the lake, and up to when the database is shared."""
    settings = load()
    shared = _lake_of(settings)
    found = status(shared, read_notice(settings.database), exchange_now(settings.database))
    click.echo(json.dumps(found.as_json()) if as_json else f"{shared.where}: {found.in_words()}")


@lake.command()
@one_line
def verify() -> None:
    """Compare the database with the lake, day by day; exit 1 if the lake lacks anything or has it twice."""
    settings = load()
    with progress_bar("comparing") as tell:
        found = compare(database_of(settings), _lake_of(settings), tell)
    for fault in found.faults:
        click.echo(fault)
    counts = f"days of tables: {found.days:,}, of which equal: {found.equal:,}"
    if found.faults:
        raise StoreError(f"the lake is not as the database, faults: {len(found.faults)}; {counts}")
    click.echo(f"the lake has all of the database; {counts}")


@lake.command("restore")
@click.option("--into", metavar="FILE", type=PATH, help="The new file, in place of TICKWELL_DATABASE.")
@one_line
def restore_from(into: Path | None) -> None:
    """Make a new database file from the lake, with all that it has; a recorder may go on with it."""
    settings = load()
    database, shared = Database(into or settings.database, settings.memory_limit), _lake_of(settings)
    with progress_bar("restoring") as tell:
        made = restore_from_lake(shared, database, tell)
    rows = ", ".join(f"{table} {count:,}" for table, count in made.items())
    click.echo(f"restored {shared.where} into {database.path}: {rows or 'no rows'}")


def _lake_of(settings: Settings) -> Lake:
    if settings.lake is None:
        raise StoreError(
            "TICKWELL_LAKE is not set: it is the database of the lake's catalog, such as "
            "postgresql://user:password@host/database"
        )
    return Lake(
        settings.lake.get_secret_value(),
        all_settings.bucket_keys(),
        settings.memory_limit,
        recorder=settings.recorder_name,
    )


def _until_stopped(database: Database, shared: Lake, place: Desk, *, with_recorder: bool) -> None:
    # A signal handler may interrupt an Event's own work and would deadlock there. A SimpleQueue is safe.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    if with_recorder:
        end_with_recorder(signals)
    publish_until(signals, database, shared, place)
