"""The command line of imports: `python -m poller import`, its list and its undo."""

from pathlib import Path
from typing import Any

import click

import settings as all_settings
from settings import Settings
from store.file.database import Database
from store.intake.foreign import Columns
from store.intake.import_log import Import, imports
from store.intake.imports import Imported, import_files
from store.intake.undo import undo

from .parts import database_of, load, one_line, progress_bars

NEWEST = 0
"""Of `import --undo` without a number."""


@click.command("import")
@click.argument("files", nargs=-1, metavar="FILES...", type=click.Path(path_type=Path))
@click.option("--time", metavar="COLUMN", help="The column that has the time.")
@click.option("--price", metavar="COLUMN", help="The column that has the price.")
@click.option("--index-column", "index", metavar="COLUMN", help="The column that has the index name.")
@click.option("--index", "index_name", metavar="NAME", help="The index that all prices are of.")
@click.option(
    "--average", "resolution_s", metavar="SECONDS", type=click.IntRange(0), help="All prices are averages over these."
)
@click.option("--list", "listed", is_flag=True, help="Instead: list what was imported.")
@click.option(
    "--undo",
    "undone",
    metavar="[ID]",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=NEWEST,
    help="Instead: take the newest import back, or the one with this number.",
)
@one_line
def import_from(files: tuple[Path, ...], *, listed: bool, undone: int | None, **columns: Any) -> None:
    """Store the prices in Parquet or CSV files (.gz too); works beside a recorder and may be repeated."""
    asked = [name for name, it in (("FILES", files), ("--list", listed), ("--undo", undone is not None)) if it]
    if len(asked) != 1:
        raise click.UsageError("name FILES, or --list, or --undo" if asked else "Missing argument 'FILES...'.")
    settings = load()
    if listed:
        _list_imports(database_of(settings))
    elif undone is not None:
        _undo_import(database_of(settings), None if undone == NEWEST else undone)
    else:
        _import_files(settings, files, columns)


def _list_imports(database: Database) -> None:
    with database.read() as cursor:
        known = imports(cursor)
    click.echo("\n".join(map(_import_in_words, known)) or "nothing was imported")


def _undo_import(database: Database, import_id: int | None) -> None:
    try:
        with progress_bars() as tell:
            undone = undo(database, import_id, tell)
    except KeyboardInterrupt as error:
        raise click.ClickException("interrupted: the same command does the rest") from error
    click.echo(
        f"import {undone.id} ({undone.path}) undone: ticks taken out {undone.taken:,}, averages back {undone.back:,}, "
        f"gaps no longer healed {undone.reopened:,}"
    )


def _import_files(settings: Settings, files: tuple[Path, ...], columns: dict[str, Any]) -> None:
    name = columns["index_name"]
    if name is not None and not all_settings.is_index_name(name):
        raise click.UsageError(f"--index {name}: must be an index name as Deribit spells it, such as btc_usd")
    try:
        with progress_bars() as tell:
            for imported in import_files(database_of(settings), files, Columns(**columns), tell):
                click.echo(_imported_in_words(imported))
    except KeyboardInterrupt as error:
        raise click.ClickException("interrupted: what is stored stays, and the same command does the rest") from error


def _imported_in_words(imported: Imported) -> str:
    lines = [f"{imported.path}: ticks stored {imported.stored:,}, there already {imported.left_out:,}"]
    if imported.another_price:
        lines.append(f"  of those {imported.another_price:,} with another price: what was there is kept")
    if imported.overruled:
        lines.append(f"  averages that gave way to them: {imported.overruled:,}")
    if imported.healed:
        lines.append(f"  gaps healed: {imported.healed:,}")
    if imported.bad:
        lines.append(f"  bad rows {imported.bad:,}, in {imported.bad_rows}, such as")
        lines += [f"    {example}" for example in imported.examples]
    return "\n".join(lines)


def _import_in_words(each: Import) -> str:
    if each.undone_at is not None:
        became = f", undone {each.undone_at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        became = "" if each.finished_at else ", not finished"
    return (
        f"{each.id}: {each.imported_at:%Y-%m-%d %H:%M:%S} UTC, {each.path}: ticks stored {each.stored:,}, "
        f"there already {each.left_out:,}, averages that gave way {each.overruled:,}{became}"
    )
