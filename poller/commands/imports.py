"""The command line of imports: `python -m poller import`, its list and its undo."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

import settings as all_settings
from store.errors import NoDatabaseError
from store.file.database import Database
from store.intake.files.candles import LAYOUTS
from store.intake.import_log import Import, imports
from store.intake.imports import Imported, import_files, look_at
from store.intake.look import Look
from store.intake.market_imports import ImportedMarket
from store.intake.rows.foreign import Columns
from store.intake.undo import undo

from .parts import database_of, load, one_line, progress_bars
from .types import CANDLE_S, PATH

NEWEST = 0
"""The number that `import --undo` means without a number: the newest import."""


@click.command("import")
@click.argument("files", nargs=-1, metavar="FILES...", type=PATH)
@click.option("--time", metavar="COLUMN", help="The column that has the time.")
@click.option("--price", metavar="COLUMN", help="The column that has the price.")
@click.option("--index-column", "index", metavar="COLUMN", help="The column that has the index name.")
@click.option("--index", "index_name", metavar="NAME", help="The index of all prices.")
@click.option(
    "--average",
    "resolution_s",
    metavar="SECONDS",
    type=click.IntRange(0),
    help="All prices are averages over this time; 0: each one was seen at its time.",
)
@click.option(
    "--candle",
    "candle_s",
    metavar="LENGTH",
    type=CANDLE_S,
    help="Each row is a candle of this length, such as 1h or 3600; its close is stored as the price at its end.",
)
@click.option("--like", type=click.Choice(list(LAYOUTS)), help="The tool that wrote the file.")
@click.option("--decimal", "point", type=click.Choice([".", ","]), help="The decimal sign of prices.")
@click.option("--dates", "order", type=click.Choice(["dmy", "mdy"]), help="The order of day and month in dates.")
@click.option("--check", "checked", is_flag=True, help="Say what is in the files and how they are read; store nothing.")
@click.option("--sure", is_flag=True, help="Store prices that differ by a power of ten from those near them.")
@click.option("--list", "listed", is_flag=True, help="List the imports so far.")
@click.option(
    "--undo",
    "undone",
    metavar="[ID]",
    type=click.IntRange(0),
    is_flag=False,
    flag_value=NEWEST,
    help="Undo the newest import, or the one with this number.",
)
@one_line
def import_from(
    files: tuple[Path, ...], *, checked: bool, sure: bool, listed: bool, undone: int | None, **columns: Any
) -> None:
    """Store the prices in Parquet, CSV or Excel files, or rows of a market that `export` wrote; may be repeated."""
    asked = [name for name, it in (("FILES", files), ("--list", listed), ("--undo", undone is not None)) if it]
    if len(asked) != 1:
        raise click.UsageError(
            "give FILES, or --list, or --undo, and no two of them" if asked else "Missing argument 'FILES...'."
        )
    settings = load()
    if listed:
        _list_imports(database_of(settings))
    elif undone is not None:
        _undo_import(database_of(settings), None if undone == NEWEST else undone)
    else:
        _use_files(database_of(settings), files, columns, checked=checked, sure=sure)


def _list_imports(database: Database) -> None:
    known: list[Import] = []
    with contextlib.suppress(NoDatabaseError), database.read() as cursor:
        known = imports(cursor)
    click.echo("\n".join(map(_import_in_words, known)) or f"nothing is imported yet in {database.path}")


def _undo_import(database: Database, import_id: int | None) -> None:
    try:
        with progress_bars() as tell:
            undone = undo(database, import_id, tell)
    except KeyboardInterrupt as error:
        raise click.ClickException("interrupted: run the same command again for the rest") from error
    click.echo(
        f"import {undone.id} ({undone.path}) undone: rows removed {undone.taken:,}, "
        f"averages restored {undone.back:,}, gaps open again {undone.reopened:,}"
    )


def _use_files(
    database: Database, files: tuple[Path, ...], options: dict[str, Any], *, checked: bool, sure: bool
) -> None:
    name = options["index_name"]
    if name is not None and not all_settings.is_index_name(name):
        raise click.UsageError(f"--index {name}: must be an index name as Deribit spells it, such as btc_usd")
    columns = Columns(**options)
    try:
        with progress_bars() as tell:
            if checked:
                for look in look_at(database, files, columns, tell):
                    click.echo(look)
                return
            for imported in import_files(database, files, columns, tell, show=_show, sure=sure):
                click.echo(_imported_in_words(imported))
    except KeyboardInterrupt as error:
        raise click.ClickException(
            "interrupted: the stored rows stay; run the same command again for the rest"
        ) from error


def _show(look: Look) -> None:
    """Say how a file is read. This goes to stderr: programs read on stdout what became of the file."""
    click.echo(replace(look, bad=0), err=True)


def _imported_in_words(imported: Imported) -> str:
    stored = f"ticks stored {imported.stored:,}, already stored {imported.left_out:,}"
    lines = [f"{imported.path}: {stored}"] if imported.market is None else _market_in_words(imported, imported.market)
    if imported.another_price:
        lines.append(f"  of these {imported.another_price:,} with another price: the stored price is kept")
    if imported.shared:
        lines.append(
            f"  rows with a time that another row of the file has {imported.shared:,}, "
            f"{imported.shared_another:,} of them with another price: the first one counts"
        )
    if imported.overruled:
        lines.append(f"  averages replaced by ticks: {imported.overruled:,}")
    if imported.healed:
        lines.append(f"  gaps healed: {imported.healed:,}")
    if imported.bad:
        lines.append(f"  bad rows {imported.bad:,}, in {imported.bad_rows}, for example")
        lines += [f"    {example}" for example in imported.examples]
    return "\n".join(lines)


def _market_in_words(imported: Imported, market: ImportedMarket) -> list[str]:
    done, kind = market.done, market.kind
    stored = f"rows stored {imported.stored:,}, already stored {imported.left_out:,}"
    if kind.snapshots:
        stored = f"snapshots stored {done.snapshots:,}, already stored {done.known_snapshots:,}; {stored}"
    lines = [f"{imported.path}: {kind.name}: {stored}"]
    if done.cut_snapshots:
        lines.append(f"  snapshots left out, because the file does not have all of their rows: {done.cut_snapshots:,}")
    if market.days:
        lines.append(f"  candles of a day left out, because a recorder asks for them itself: {market.days:,}")
    return lines


def _import_in_words(each: Import) -> str:
    if each.undone_at is not None:
        became = f", undone {each.undone_at:%Y-%m-%d %H:%M:%S} UTC"
    else:
        became = "" if each.finished_at else ", not finished"
    return (
        f"{each.id}: {each.imported_at:%Y-%m-%d %H:%M:%S} UTC, {each.path}: rows stored {each.stored:,}, "
        f"left out {each.left_out:,}, averages replaced {each.overruled:,}{became}"
    )
