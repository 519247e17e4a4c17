"""The import command says what became of each row, and delays no recorder."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from click.testing import Result

from poller.simulator.server import Simulator
from settings import ROOT
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.intake.imports import look_at
from store.intake.rows.foreign import Columns
from store.ledger import gaps
from store.models import Gap, Tick, utc_now
from store.prices import averages, ticks
from tests.conftest import START, Program, wait_until
from tests.store.intake.market.recorded import altered, export, record
from tests.support.locks import is_locked

A_LENGTH = (
    "must be 1s, 2s, 5s, 10s, 15s, 30s, 1m, 2m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, 2d, 1w "
    "or a number of seconds, a week at most"
)
EVER = datetime(2000, 1, 1, tzinfo=UTC)


def stored_ticks(database_file: Path, index_name: str = "btc_usd", since: datetime = EVER) -> list[Tick]:
    with Database(database_file).read() as cursor:
        return ticks.history(cursor, index_name, since, utc_now())


def test_the_outcome_of_each_row_of_an_imported_file_is_reported(
    command: Callable[..., Result], database_file: Path, tmp_path: Path
):
    path = tmp_path / "prices.csv"
    path.write_text("when,last\n1793534400,100.5\n1793534401,x\n1793534402,101\n1793534402,102\n")

    done = command("import", "--time", "when", "--price", "last", "--index", "sol_usdc", str(path))

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"{path}: ticks stored 2, already stored 0",
        "  rows with a time that another row of the file has 1, 1 of them with another price: the first one counts",
        f"  bad rows 1, in {path}.bad-rows.csv, for example",
        "    price is missing or not a number: 1793534401, x",
    ]
    assert [each.price for each in stored_ticks(database_file, "sol_usdc")] == [100.5, 101]


def test_a_check_says_what_is_in_a_file_and_an_import_says_it_on_stderr(command, database: Database, tmp_path: Path):
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n1793534401,101\n1793534401,x\n")

    checked = command("import", "--check", "--index", "btc_usd", str(path))
    nothing = stored_ticks(database.path)
    done = command("import", "--index", "btc_usd", str(path))

    looked = [
        f"{path}: text in UTF-8, separated by commas, names in line 1",
        "  time: column 'ts', seconds since 1970",
        "  price: column 'price', decimal points",
        "  index: btc_usd, as you say",
        "  btc_usd: rows 2, 2026-11-01 12:00:00 to 2026-11-01 12:00:01 UTC, first price 100.50, last 101.00",
    ]
    assert checked.stdout.splitlines() == [
        *looked,
        "  bad rows: 1, for example",
        "    price is missing or not a number: 1793534401, x",
    ]
    assert nothing == []
    assert set(looked) <= set(done.stderr.splitlines())
    assert done.stdout.splitlines()[0] == f"{path}: ticks stored 2, already stored 0"


def test_an_import_with_prices_that_are_there_already_says_whose_count(command, database: Database, tmp_path: Path):
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n")
    command("import", "--index", "btc_usd", str(path))
    path.write_text("ts,price\n1793534400,101\n")

    done = command("import", "--index", "btc_usd", str(path))

    assert done.stdout.splitlines() == [
        f"{path}: ticks stored 0, already stored 1",
        "  of these 1 with another price: the stored price is kept",
    ]


def test_gaps_that_an_import_heals_are_reported(command, database: Database, tmp_path: Path):
    with database.write() as cursor:
        gap = Gap("btc_usd", START, START + timedelta(seconds=20), 4, 5, "unreachable", "no route", gap=START)
        gaps.note(cursor, [gap], START)
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n" + "".join(f"{START + timedelta(seconds=second)},1\n" for second in range(0, 20, 5)))

    done = command("import", "--index", "btc_usd", "--average", "0", str(path))

    assert done.stdout.splitlines() == [f"{path}: ticks stored 4, already stored 0", "  gaps healed: 1"]


def test_an_import_is_listed_and_undone(command, database: Database, tmp_path: Path):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(START, 50.0)], 60)
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n1793534401,101\n")
    assert command("import", "--list").stdout == f"nothing is imported yet in {database.path}\n"

    done = command("import", "--index", "btc_usd", str(path))
    again = command("import", "--index", "btc_usd", str(path))
    undone = command("import", "--undo"), command("import", "--undo", "1")
    listed = command("import", "--list")

    assert done.stdout.splitlines() == [
        f"{path}: ticks stored 2, already stored 0",
        "  averages replaced by ticks: 1",
    ]
    assert again.stdout.splitlines() == [f"{path}: ticks stored 0, already stored 2"]
    assert [each.stdout for each in undone] == [
        f"import 2 ({path}) undone: rows removed 0, averages restored 0, gaps open again 0\n",
        f"import 1 ({path}) undone: rows removed 2, averages restored 1, gaps open again 0\n",
    ]
    at = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
    first, second = listed.stdout.splitlines()
    assert re.fullmatch(rf"1: {at}, {path}: rows stored 2, left out 0, averages replaced 1, undone {at}", first)
    assert re.fullmatch(rf"2: {at}, {path}: rows stored 0, left out 2, averages replaced 0, undone {at}", second)
    with database.read() as cursor:
        assert cursor.execute("SELECT price, resolution_s FROM ticks").fetchall() == [(50.0, 60)]


def test_a_list_before_there_is_a_database_says_that_nothing_is_imported(command, database_file: Path):
    listed = command("import", "--list")

    assert (listed.exit_code, listed.stdout) == (0, f"nothing is imported yet in {database_file}\n")
    assert not database_file.exists()


@pytest.mark.parametrize("length", ["1d", "86400"])
def test_the_length_of_candles_is_given_in_short_or_in_seconds(
    command, database: Database, tmp_path: Path, length: str
):
    path = tmp_path / "prices.csv"
    path.write_text("Datum;Zuletzt\n14.03.2026;100\n15.03.2026;101\n")
    columns = ("--time", "Datum", "--price", "Zuletzt", "--index", "btc_usd")

    asked = command("import", *columns, str(path))
    done = command("import", *columns, "--candle", length, str(path))

    assert (asked.exit_code, asked.stderr.splitlines()[-1]) == (
        1,
        (
            f"Error: {path}: its times are days without a time of day: say --candle 1d if each price is the close of a "
            "candle that opens then, or --average 0 if it was seen when the day began"
        ),
    )
    assert done.exit_code == 0
    assert [f"{each.ts:%d %H:%M}" for each in stored_ticks(database.path)] == ["15 00:00", "16 00:00"]


def test_a_check_does_not_say_that_it_writes(database_file: Path, tmp_path: Path):
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n1793534401,x\n")
    told: list[str] = []

    list(look_at(Database(database_file), [path], Columns(index_name="btc_usd"), lambda what, *_: told.append(what)))

    assert "finding the bad rows of prices.csv" in told
    assert not any("writing" in what for what in told)


def test_an_undo_that_is_interrupted_says_so(command, database: Database, tmp_path: Path):
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n")
    command("import", "--index", "btc_usd", str(path))

    lease = FileLock(beside(database.path, "lease"))
    assert lease.try_acquire()  # the undo waits for it
    with Program("poller", "import", "--undo", database=database.path) as program:
        wait_until(lambda: is_locked(beside(database.path, "importing")))
        code, _, said = program.stop(signal.SIGINT)
    lease.release()

    assert code == 1
    assert "Error: interrupted: run the same command again for the rest" in said.splitlines()
    assert re.search(r"left out 0, averages replaced 0$", command("import", "--list").stdout.strip())


@pytest.mark.parametrize(
    ("arguments", "says", "code"),
    [
        (["nowhere.csv"], "Error: nowhere.csv is not a file", 1),
        (
            ["--index", "BTC", "a.csv"],
            "Error: --index BTC: must be an index name as Deribit spells it, such as btc_usd",
            2,
        ),
        (["--average", "-1", "a.csv"], "Error: Invalid value for '--average': -1 is not in the range x>=0.", 2),
        (["--candle", "8d", "a.csv"], f"Error: Invalid value for '--candle': 8d: {A_LENGTH}", 2),
        (["--candle", "604801", "a.csv"], f"Error: Invalid value for '--candle': 604801: {A_LENGTH}", 2),
        (["--candle", "0", "a.csv"], f"Error: Invalid value for '--candle': 0: {A_LENGTH}", 2),
        ([], "Error: Missing argument 'FILES...'.", 2),
        (["--undo", "1", "a.csv"], "Error: give FILES, or --list, or --undo, and no two of them", 2),
        (["--undo", "a.csv"], "Error: Invalid value for '--undo': 'a.csv' is not a valid integer range.", 2),
        (["--list", "--undo"], "Error: give FILES, or --list, or --undo, and no two of them", 2),
    ],
)
def test_an_import_that_cannot_be_is_refused_in_one_line(command, arguments: list[str], says: str, code: int):
    refused = command("import", *arguments)

    assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (code, says)


def test_a_terminal_shows_rows_rate_and_time_left(database_file: Path, tmp_path: Path):
    path = tmp_path / "prices.csv"
    path.write_text("ts,price\n1793534400,100.5\n1793534401,101\n")
    main_end, end = pty.openpty()
    command = [sys.executable, "-m", "poller", "import", "--index", "btc_usd", str(path)]
    environment = {**os.environ, "TICKWELL_DATABASE": str(database_file)}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=end) as process:
        os.close(end)
        with os.fdopen(main_end, "rb", buffering=0) as terminal, contextlib.suppress(OSError):  # EIO: all is read
            shown = b""
            while part := terminal.read(1000):
                shown += part

    assert process.returncode == 0
    assert re.search(rb"importing prices\.csv  \[#+\]  2/2 .*[\d,]+ a second", shown)


def test_an_interrupted_import_says_so_and_the_next_does_the_rest(database: Database, tmp_path: Path):
    path = tmp_path / "prices.csv"
    with path.open("w") as file:
        file.write("ts,price\n")
        file.writelines(f"{1_700_000_000 + second},{second % 7 + 1}\n" for second in range(1_000_000))
    command = ("poller", "import", "--index", "btc_usd", str(path))
    with Program(*command, database=database.path) as program:
        assert program.process.stderr is not None
        wait_until(lambda: list(database.path.parent.glob("*.import-*")), look_again_s=0.01)
        code, _, err = program.stop(signal.SIGINT)

    with Program(*command, database=database.path) as program:
        done = program.finish(timeout_s=60)

    assert (code, err.splitlines()[-1]) == (
        1,
        "Error: interrupted: the stored rows stay; run the same command again for the rest",
    )
    assert done[0] == 0
    with database.read() as cursor:
        assert ticks.summary(cursor)["btc_usd"][0] == 1_000_000


def test_recording_goes_on_while_a_file_is_imported(database_file: Path, simulator: Simulator, tmp_path: Path):
    path = tmp_path / "prices.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'btc_usd' AS index_name, TIMESTAMP '2024-01-01' + to_milliseconds(hash(i) % 10_000_000_000) "
            f"AS ts, 1 + i % 7 AS price FROM range(3_000_000) AS rows(i)) TO '{path}'"
        )
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1}
    with Program("poller", **settings) as recorder:
        begin = utc_now()
        wait_until(lambda: database_file.exists() and stored_ticks(database_file, since=begin))
        with Program("poller", "import", str(path), **settings) as program:
            code, out, err = program.finish(timeout_s=120)
        end = utc_now()
        wait_until(lambda: stored_ticks(database_file, since=end))
        recorder.stop(signal.SIGTERM)

    assert code == 0, err
    assert re.match(rf"{path}: ticks stored [\d,]+, already stored [\d,]+\n", out)
    with Database(database_file).read() as cursor:
        assert gaps.ledger(cursor, begin, end, utc_now()) == []
        ((late,),) = cursor.execute("SELECT count(*) FROM misses").fetchall()
    assert late == 0


def test_an_exported_market_is_imported_listed_and_taken_back(
    command: Callable[..., Result], database: Database, tmp_path: Path
):
    other = Database(tmp_path / "other.duckdb")
    other.migrate()
    record(other, healed=[])
    record(database, {5, 6, 7})
    path = export(other, "options/BTC")
    with other.read() as cursor:
        ((rows,),) = cursor.execute("SELECT count(*) // 4 FROM options").fetchall()

    done = command("import", str(path))
    again = command("import", str(altered(path, "FROM its WHERE strike <> (SELECT min(strike) FROM its)")))
    dvol = command("import", str(export(other, "dvol/BTC")))
    days = command(
        "import", str(altered(export(other, "futures/BTC"), "SELECT * REPLACE (86400 AS resolution_s) FROM its"))
    )

    assert done.stdout.splitlines() == [
        f"{path}: options: snapshots stored 1, already stored 3; rows stored {rows:,}, already stored {3 * rows:,}",
        "  gaps healed: 1",
    ]
    assert f"{path}: Parquet\n  options/BTC: rows {4 * rows:,}, 2026-11-01 12:00:00 to " in done.stderr
    assert again.stdout.splitlines()[1:] == [
        "  snapshots left out, because the file does not have all of their rows: 4"
    ]
    assert dvol.stdout == f"{export(other, 'dvol/BTC')}: dvol: rows stored 3, already stored 18\n"
    with other.read() as cursor:
        ((futures,),) = cursor.execute("SELECT count(*) FROM futures").fetchall()
    assert [line.partition(": ")[2] for line in days.stdout.splitlines()] == [
        "futures: snapshots stored 0, already stored 0; rows stored 0, already stored 0",
        f"{futures}",
    ]
    assert f"rows stored {rows:,}, left out {3 * rows:,}, averages replaced 0" in command("import", "--list").stdout
    assert command("import", "--undo", "1").stdout.endswith(
        f" undone: rows removed {rows:,}, averages restored 0, gaps open again 1\n"
    )
