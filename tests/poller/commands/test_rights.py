"""A path that may not be entered, read or written is named in one line, with the system's reason."""

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from poller.commands.parts import one_line
from store.file.database import Database
from tests.conftest import tick
from tests.support.rights import without_access
from tests.support.stored import append

ENTER_ONLY = 0o100
LIST_ONLY = 0o400
READ_ONLY = 0o500

Command = Callable[..., Result]

READING = [
    ("import", "--index", "btc_usd", "{folder}/prices.csv"),
    ("verify", "{folder}/ticks.duckdb"),
    ("verify", "{folder}/backup"),
    ("restore", "{folder}/backup", "--into", "{folder}/../new.duckdb"),
    ("alerts", "replay", "--rules", "{folder}/rules.toml"),
    ("export", "--to", "{folder}/new.parquet"),
    ("backup", "{folder}/backup"),
    ("restore", "{folder}/../backup", "--into", "{folder}/new.duckdb"),
]


@pytest.fixture
def recorded(database: Database) -> Database:
    append(database, *map(tick, range(10)))
    return database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder


def only_line(done: Result) -> str:
    """The line that a command ends with; nothing but names of progress bars is above it."""
    *bars, line = done.stderr.splitlines()
    assert (done.exit_code, done.stdout, len(bars) <= 1) == (1, "", True), done.output
    assert not isinstance(done.exception, OSError)
    return line


@pytest.mark.parametrize("mode", [0, LIST_ONLY])
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_a_path_in_a_folder_that_may_not_be_entered_is_named(
    command: Command, recorded: Database, folder: Path, arguments: tuple[str, ...], mode: int
):
    if "{folder}/../backup" in arguments:
        command("backup", str(folder.with_name("backup")))

    with without_access(folder, mode):
        line = only_line(command(*(each.format(folder=folder) for each in arguments)))

    assert line.startswith("Error: ")
    assert line.endswith(": Permission denied")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("export", "--to", "{folder}"), "{folder}/btc_usd"),
        (("export", "--to", "{folder}/new.csv.gz"), "{folder}/new.csv.gz can't be written"),
        (("backup", "{folder}"), "{folder}/ticks can't be written"),
        (("restore", "{folder}/../backup", "--into", "{folder}/new.duckdb"), "{folder}/new.duckdb.recorder"),
    ],
)
def test_a_folder_that_may_not_be_written_is_named(
    command: Command, recorded: Database, folder: Path, arguments: tuple[str, ...], named: str
):
    command("backup", str(folder.with_name("backup")))

    with without_access(folder, READ_ONLY):
        line = only_line(command(*(each.format(folder=folder) for each in arguments)))

    assert line.startswith(f"Error: {named.format(folder=folder)}")
    assert line.endswith(": Permission denied")


@pytest.mark.parametrize("arguments", [("import",), ("verify",), ("alerts", "replay", "--rules")])
def test_a_file_that_may_not_be_read_is_named(
    command: Command, recorded: Database, folder: Path, arguments: tuple[str, ...]
):
    path = folder / "prices.csv"
    path.write_text("ts,price\n")

    with without_access(path):
        line = only_line(command(*arguments, str(path)))

    assert "prices.csv" in line
    assert "Permission denied" in line


@pytest.mark.parametrize("arguments", [("status",), ("gaps",), ("once",), ("run",), ("rebuild",), ("backfill",)])
def test_a_database_in_a_folder_that_may_not_be_entered_is_named_with_its_setting(
    command: Command, folder: Path, arguments: tuple[str, ...]
):
    path = folder / "ticks.duckdb"

    with without_access(folder):
        line = only_line(command(*arguments, database=path))

    assert line == f"Error: TICKWELL_DATABASE = '{path}' can't be used: Permission denied"


@pytest.mark.parametrize("ending", [".gate", ".lease"])
def test_a_lock_that_may_not_be_used_is_named(command: Command, recorded: Database, ending: str):
    lock = recorded.path.with_name(f"{recorded.path.name}{ending}")

    with without_access(lock):
        line = only_line(command("gaps"))

    assert line == f"Error: {lock} can't be used: Permission denied"


def test_rules_in_a_folder_that_may_not_be_entered_are_named_with_their_setting(command: Command, folder: Path):
    path = folder / "alerts.toml"

    with without_access(folder):
        line = only_line(command("run", alerts_file=path))

    assert line == f"Error: TICKWELL_ALERTS_FILE = '{path}' can't be used: Permission denied"


def test_a_folder_of_exports_that_may_not_be_listed_is_named(command: Command, recorded: Database):
    exports = recorded.path.with_name("exports")
    exports.mkdir()

    with without_access(exports, ENTER_ONLY):
        line = only_line(command("export"))

    assert line.startswith(f"Error: {exports}")
    assert line.endswith(": Permission denied")


def test_an_error_of_no_path_keeps_its_traceback():
    @click.command()
    @one_line
    def broken() -> None:
        raise ConnectionResetError

    assert isinstance(CliRunner().invoke(broken).exception, ConnectionResetError)
