"""The commands that look at the record: `status`, `gaps`, `verify`."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click

from settings import Settings
from store.backup.verify import faults_of_backup, faults_of_database, what_it_holds
from store.errors import StoreError
from store.export.verify import exported_files, faults_of_export
from store.file.clock import exchange_now
from store.file.database import Database
from store.health.status import health
from store.instants import EPOCH
from store.ledger.gaps import gap_as_json, ledger

from .parts import database_of, load, one_line
from .types import PATH
from .words import gaps_in_words, report_in_words


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the object that /api/health answers.")
@one_line
def status(*, as_json: bool) -> None:
    """Say how the recording goes; works beside a recorder and without one."""
    settings = load()
    report = health(database_of(settings), settings, exchange_now(settings.database))
    click.echo(json.dumps(report) if as_json else report_in_words(report))


@click.command("gaps")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects with times in ISO 8601, UTC, half-open.")
@one_line
def list_gaps(*, as_json: bool) -> None:
    """List the gaps in the record: their slots, causes, and what became of them."""
    settings = load()
    now = exchange_now(settings.database)
    with database_of(settings).read() as cursor:
        found = ledger(cursor, EPOCH, now, now)
    click.echo(json.dumps([gap_as_json(gap) for gap in found]) if as_json else gaps_in_words(found))


@click.command()
@click.argument("path", type=PATH)
@one_line
def verify(path: Path) -> None:
    """Check the whole of a database file, a backup or exports, and list what is wrong; exit 1 if anything is."""
    settings = load()
    path.stat()  # without access or file this says so
    found = list(_faults(path, settings))
    for fault in found:
        click.echo(fault)
    if found:
        raise StoreError(f"{path} is damaged, faults: {len(found)}")
    click.echo(f"{path} is sound")


def _faults(path: Path, settings: Settings) -> Iterator[str]:
    if exported := exported_files(path):
        return chain.from_iterable(faults_of_export(file, settings.memory_limit) for file in exported)
    if (manifest := what_it_holds(path)) is not None:
        return faults_of_backup(path, manifest, settings.memory_limit)
    return faults_of_database(Database(path, settings.memory_limit))
