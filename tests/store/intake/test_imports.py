"""An import stores the prices of foreign files once, marked; rows that can't be ticks are shown and set aside."""

import csv
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest

from store.errors import BusyError, FileError, StoreError
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.intake.imports import Imported, import_files, look_at
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.ledger import gaps
from store.ledger.gaps import ledger
from store.ledger.heal import heal
from store.models import Tick, utc_now
from store.prices import candles, ticks
from tests.conftest import START, tick
from tests.store.histories import at, averaged, missed, observed, ran
from tests.store.processes import line, start
from tests.support.candles import HOUR, MINUTE, all_ticks, by_hand, stored
from tests.support.foreign_files import nobody_listens, parquet, written

Row = tuple[Any, ...]


def imported(database: Database, *paths: Path, limits: Limits = Limits(), **columns: Any) -> list[Imported]:
    return list(import_files(database, paths, Columns(**columns), nobody_listens, limits))


def seconds(path: Path, which: Iterable[float], price: float = 100) -> Path:
    """A Parquet file with a price of btc_usd at each of these seconds after START, in that order."""
    values = ", ".join(f"({second})" for second in which)
    return parquet(
        path,
        "SELECT 'btc_usd' AS index_name, TIMESTAMP '2026-11-01 12:00:00' + to_milliseconds(1000 * second) AS ts, "
        f"CAST({price} AS DOUBLE) AS price FROM (VALUES {values}) AS rows(second)",
    )


def all_of(database: Database) -> list[Tick]:
    with database.read() as cursor:
        names = list(ticks.summary(cursor))
        return [each for name in names for each in ticks.history(cursor, name, START - timedelta(days=9000), utc_now())]


def assert_candles_equal_ticks(database: Database) -> None:
    with database.read() as cursor:
        its, until = all_ticks(cursor), candles.closed_to(cursor)
        assert stored(cursor, "candles_1m") == by_hand(its, MINUTE, until)
        assert stored(cursor, "candles_1h") == by_hand(its, HOUR, until)


# Times


@pytest.mark.parametrize(
    "time",
    [
        "1793534400.25",
        "1793534400250",
        "1793534400250000",
        "1793534400250000000",
        "1.79353440025e+09",
        "2026-11-01T12:00:00.25Z",
        "2026-11-01 12:00:00.250",
        "2026-11-01T14:00:00.25+02:00",
        "2026-11-01T07:00:00.25-0500",
    ],
)
def test_a_time_as_text_may_be_in_seconds_to_nanoseconds_or_iso(database, tmp_path, time):
    imported(database, written(tmp_path / "prices.csv", "ts,price,index_name", (time, 100, "btc_usd")))

    assert all_of(database) == [Tick("btc_usd", at(0.25), 100, "import")]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("1793534400", at(0)),
        ("CAST(1793534400.25 AS DOUBLE)", at(0.25)),
        ("CAST(1793534400250 AS BIGINT)", at(0.25)),
        ("CAST(1793534400250000 AS UBIGINT)", at(0.25)),
        ("TIMESTAMP '2026-11-01 12:00:00.25'", at(0.25)),
        ("CAST('2026-11-01 12:00:00.25' AS TIMESTAMP_NS)", at(0.25)),
        ("CAST('2026-11-01 12:00:00' AS TIMESTAMP_S)", at(0)),
        ("TIMESTAMPTZ '2026-11-01 14:00:00.25+02'", at(0.25)),
        ("DATE '2026-11-01'", at(-12 * 3600)),
    ],
)
def test_a_time_in_a_parquet_file_may_be_of_any_type(database, tmp_path, time, expected):
    path = parquet(tmp_path / "a.parquet", f"SELECT 'btc_usd' AS index_name, {time} AS ts, 100 AS price")

    imported(database, path, resolution_s=0)

    assert all_of(database) == [Tick("btc_usd", expected, 100, "import")]


def test_nanoseconds_with_a_zone_are_the_instants_that_they_are_in_any_column_and_order(database, tmp_path):
    heard = pa.array([at(2.5), at(1.5)], pa.timestamp("ns", "UTC"))
    rows = pa.table(
        {"ts": pa.array([at(2), at(1)], pa.timestamp("ns", "UTC")), "received_at": heard, "price": [2.0, 1.0]}
    )
    pyarrow.parquet.write_table(rows, tmp_path / "a.parquet")

    imported(database, tmp_path / "a.parquet", index_name="btc_usd")

    assert all_of(database) == [
        Tick("btc_usd", at(1), 1, "import", at(1.5)),
        Tick("btc_usd", at(2), 2, "import", at(2.5)),
    ]


def test_a_text_without_a_zone_means_utc_wherever_it_is_read(database, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "America/New_York")

    imported(
        database,
        written(
            tmp_path / "a.csv",
            "time,received_at,price,ticker",
            ("2026-11-01 12:00", "2026-11-01 12:00:01", 1, "btc_usd"),
        ),
        parquet(
            tmp_path / "b.parquet",
            "SELECT TIMESTAMP '2026-11-01 13:00:00' AS ts, '2026-11-01 13:00:01' AS received_at, 1 AS price, "
            "'btc_usd' AS symbol",
        ),
    )

    assert [(each.ts, each.received_at) for each in all_of(database)] == [
        (at(0), at(1)),
        (at(3600), at(3601)),
    ]


# Columns


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("index_name,TS,Price", {}),
        ("ticker,timestamp,index_price", {}),
        ("symbol,datetime,price", {}),
        ("name,when,last", {"index": "name", "time": "when", "price": "last"}),
        ("symbol,ts,price,close,ticker,when", {"index": "symbol", "time": "ts", "price": "price"}),
        ('"it""s; DROP TABLE ticks",ts,price', {"index": 'it"s; DROP TABLE ticks'}),
    ],
)
def test_columns_are_found_by_their_names_or_named_by_the_user(database, tmp_path, header, columns):
    row = ("btc_usd", START.isoformat(), 100, 7, "eth_usd", 8)[: header.count(",") + 1]

    imported(database, written(tmp_path / "prices.csv", header, row), **columns)

    assert all_of(database) == [Tick("btc_usd", START, 100, "import")]


@pytest.mark.parametrize("name", ["prices.csv", "prices.CSV.gz", "prices.tsv", "a*b [1].csv", "prices.txt"])
def test_a_file_without_a_column_for_the_index_may_go_into_any(database, tmp_path, name):
    path = written(tmp_path / name, "ts,price", (START.isoformat(), 100))

    imported(database, path, index_name="sol_usdc")

    assert all_of(database) == [Tick("sol_usdc", START, 100, "import")]


def test_a_pattern_in_a_file_name_matches_no_other_file(database, tmp_path):
    seconds(tmp_path / "a1.parquet", [1])

    imported(database, seconds(tmp_path / "a?.parquet", [2]), seconds(tmp_path / "a[1].parquet", [3]))

    assert [each.ts for each in all_of(database)] == [at(2), at(3)]


def test_the_time_of_receipt_and_the_simulator_as_source_are_kept(database, tmp_path):
    path = written(
        tmp_path / "a.csv",
        "index_name,ts,received_at,price,source",
        ("btc_usd", START.isoformat(), at(0.5).isoformat(), 100, "simulator"),
        ("btc_usd", at(1).isoformat(), "", 101, "import"),
    )

    imported(database, path)

    assert all_of(database) == [
        Tick("btc_usd", START, 100, "simulator", at(0.5)),
        Tick("btc_usd", at(1), 101, "import"),
    ]


# Order, doubles, repetition


def test_rows_are_sorted_by_time_on_the_way_in(database, tmp_path):
    imported(database, seconds(tmp_path / "a.parquet", [5, 3, 9, 1, 7, 11, 10, 2, 4]), limits=Limits(rows=4))

    with database.read() as cursor:
        in_file = [ts for (ts,) in cursor.execute("SELECT ts FROM ticks ORDER BY rowid").fetchall()]
    assert in_file == sorted(in_file)
    assert len(in_file) == 9
    assert_candles_equal_ticks(database)


def test_portions_that_are_sorted_in_themselves_are_sorted_as_a_whole(database, tmp_path):
    imported(database, seconds(tmp_path / "a.parquet", [5, 6, 1, 2]), limits=Limits(rows=2))

    with database.read() as cursor:
        in_file = [ts for (ts,) in cursor.execute("SELECT ts FROM ticks ORDER BY rowid").fetchall()]
    assert in_file == sorted(in_file)


def test_stored_ticks_are_left_as_they_are(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(1, price=99), tick(2, price=100)])

    (first,) = imported(database, seconds(tmp_path / "a.parquet", [1, 2, 3]))
    (again,) = imported(database, seconds(tmp_path / "a.parquet", [1, 2, 3]))

    assert (first.stored, first.left_out, first.another_price) == (1, 2, 1)
    assert (again.stored, again.left_out, again.another_price) == (0, 3, 1)
    assert [(each.price, each.source) for each in all_of(database)] == [(99, "live"), (100, "live"), (100, "import")]


def test_the_first_of_several_rows_with_one_index_and_time_counts(database, tmp_path):
    rows = [("btc_usd", 100), ("eth_usd", 7), ("btc_usd", 101), ("sol_usd", 1), ("btc_usd", 100), ("eth_usd", 7)]
    path = written(tmp_path / "a.csv", "ts,index_name,price", *((START.isoformat(), *row) for row in rows))

    (result,) = imported(database, path)

    assert [(each.index_name, each.price) for each in all_of(database)] == [
        ("btc_usd", 100),
        ("eth_usd", 7),
        ("sol_usd", 1),
    ]
    assert (result.stored, result.left_out, result.shared, result.shared_another) == (3, 0, 3, 1)
    assert result.another_price == 0


@pytest.mark.parametrize("portion", [1, 2, 3])
def test_duplicates_are_found_across_the_ends_of_portions(database, tmp_path, portion):
    (result,) = imported(database, seconds(tmp_path / "a.parquet", [1, 2, 2, 2, 3, 3]), limits=Limits(rows=portion))

    assert [each.ts for each in all_of(database)] == [at(1), at(2), at(3)]
    assert (result.stored, result.left_out, result.shared, result.shared_another) == (3, 0, 3, 0)


@pytest.mark.parametrize("portion", [2, 3])
def test_another_price_is_told_across_the_ends_of_portions(database, tmp_path, portion):
    rows = [("a_usd", 1), ("b_usd", 2), ("a_usd", 3), ("b_usd", 2), ("a_usd", 4)]
    path = written(tmp_path / "a.csv", "ts,index_name,price", *((START.isoformat(), *row) for row in rows))

    (result,) = imported(database, path, limits=Limits(rows=portion))

    assert [(each.index_name, each.price) for each in all_of(database)] == [("a_usd", 1), ("b_usd", 2)]
    assert (result.stored, result.left_out, result.shared, result.shared_another) == (2, 0, 3, 2)


def test_a_file_among_many_stored_ticks_is_stored_in_parts(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(second) for second in range(0, 1000, 2)])
        while candles.close(cursor, at(3600)):
            pass

    path = seconds(tmp_path / "a.parquet", range(100, 900))
    (result,) = imported(database, path, limits=Limits(stored=100))

    assert (result.stored, result.left_out) == (400, 400)
    assert_candles_equal_ticks(database)


def test_candles_that_were_closed_before_are_brought_up_to_date(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, price=50), tick(7200, price=60), tick(100, "eth_usd", price=7)])
        while candles.close(cursor, at(4000)):
            pass

    imported(database, seconds(tmp_path / "a.parquet", range(50, 7300, 10)))

    assert_candles_equal_ticks(database)
    with database.read() as cursor:
        until = candles.closed_to(cursor)
    assert until is not None
    assert until > at(7200)


def test_a_missing_database_is_made(database_file, tmp_path):
    database = Database(database_file)

    imported(database, seconds(tmp_path / "a.parquet", [1, 2]))

    assert len(all_of(database)) == 2
    assert_candles_equal_ticks(database)


# Averages


def test_averages_are_stored_and_marked_where_nothing_finer_is_stored(database, tmp_path):
    with database.write() as cursor:
        observed(cursor, [70])
        averaged(cursor, 240, 300, 30)
    path = seconds(tmp_path / "a.parquet", [0, 60, 120, 120, 180, 240])

    (result,) = imported(database, path, resolution_s=60)

    with database.read() as cursor:
        rows = cursor.execute(
            "SELECT epoch(ts) - epoch(TIMESTAMP '2026-11-01 12:00:00'), source, resolution_s FROM ticks "
            "WHERE source = 'import' ORDER BY ts"
        ).fetchall()
    assert rows == [(0, "import", 60), (120, "import", 60), (180, "import", 60)]
    assert (result.stored, result.left_out, result.shared) == (3, 2, 1)
    assert_candles_equal_ticks(database)


@pytest.mark.parametrize("portion", [1, 100])
def test_a_column_gives_the_time_that_each_row_is_an_average_over(database, tmp_path, portion):
    rows = [(0, 3600), (0.5, 0), (60, 60), (90, 0), (180, 60), (3600, 3600)]
    path = written(
        tmp_path / "a.csv",
        "ts,index_name,price,resolution_s",
        *((at(second).isoformat(), "btc_usd", 100, over_s) for second, over_s in rows),
    )

    (result,) = imported(database, path, limits=Limits(rows=portion))

    with database.read() as cursor:
        found = {(each.ts, each.resolution_s) for each in all_ticks(cursor)}
    assert found == {(at(0.5), 0), (at(90), 0), (at(180), 60), (at(3600), 3600)}
    assert (result.stored, result.left_out) == (4, 2)


def test_gaps_that_an_import_fills_are_healed_by_it(database, tmp_path):
    with database.write() as cursor:
        ran(cursor, 0, 100)
        observed(cursor, range(0, 20, 5))
        missed(cursor, range(20, 100, 5))
    with database.write() as cursor:
        gaps.note(cursor, ledger(cursor, at(0), at(100), at(200)), at(200))

    (result,) = imported(database, seconds(tmp_path / "a.parquet", range(20, 60)))

    with database.read() as cursor:
        found = ledger(cursor, at(0), at(100), at(200))
    assert [(gap.start, gap.end, gap.state, gap.source) for gap in found] == [
        (at(20), at(60), "healed", "import"),
        (at(60), at(100), "open", None),
    ]
    assert result.healed == 1


def test_a_gap_whose_average_was_replaced_is_open_where_no_tick_is_now(database, tmp_path):
    with database.write() as cursor:
        ran(cursor, 0, 1500, 5)
        observed(cursor, [*range(0, 300, 5), *range(1200, 1500, 5)])
        missed(cursor, range(300, 1200, 5))
        averaged(cursor, 300, 1200, 300)
    gaps.advance(database, at(1500), at(1500), 5)
    with database.write() as cursor:
        heal(cursor, "btc_usd", at(1200))

    imported(database, seconds(tmp_path / "a.parquet", range(500, 1200)))

    with database.read() as cursor:
        found = ledger(cursor, at(0), at(1200), at(1200))
    assert [(gap.start, gap.end, gap.state, gap.healed_by) for gap in found] == [
        (at(300), at(500), "open", None),
        (at(500), at(1200), "healed", "import"),
    ]


# Bad rows

BAD_ROWS = {
    ("soon", "100", "btc_usd"): "time is missing or unreadable",
    ("", "100", "btc_usd"): "time is missing or unreadable",
    ("12", "100", "btc_usd"): "time is before 2000",
    ("2026-13-01", "100", "btc_usd"): "time is missing or unreadable",
    ("1e30", "100", "btc_usd"): "time is missing or unreadable",
    ("2999-01-01", "100", "btc_usd"): "time is in the future",
    ("2026-11-01", "", "btc_usd"): "price is missing or not a number",
    ("2026-11-01", "many", "btc_usd"): "price is missing or not a number",
    ("2026-11-01", "nan", "btc_usd"): "price is missing or not a number",
    ("2026-11-01", "inf", "btc_usd"): "price is missing or not a number",
    ("2026-11-01", "0", "btc_usd"): "price is not above 0",
    ("2026-11-01", "-1", "btc_usd"): "price is not above 0",
    ("2026-11-01", "100", ""): "not an index name such as btc_usd",
    ("2026-11-01", "100", "BTC"): "not an index name such as btc_usd",
}


def test_bad_rows_are_counted_shown_and_set_aside_with_their_fault(database, tmp_path):
    path = written(tmp_path / "a.csv", "ts,price,index_name", *BAD_ROWS, (START.isoformat(), 100, "btc_usd"))

    (result,) = imported(database, path, resolution_s=0)

    assert (result.stored, result.bad) == (1, len(BAD_ROWS))
    assert result.examples[0] == "time is missing or unreadable: soon, 100, btc_usd"
    assert result.bad_rows == tmp_path / "a.csv.bad-rows.csv"
    with (tmp_path / "a.csv.bad-rows.csv").open(newline="") as file:
        found = {(row["ts"], row["price"], row["index_name"]): row["fault"] for row in csv.DictReader(file)}
    assert found == BAD_ROWS


def test_a_file_of_bad_rows_can_be_imported_once_it_is_corrected(database, tmp_path):
    path = written(
        tmp_path / "a.csv",
        "ts,price,index_name",
        (at(1).isoformat(), 1, "btc_usd"),
        (at(2).isoformat(), "x", "btc_usd"),
    )
    (result,) = imported(database, path)
    aside = result.bad_rows
    assert aside is not None
    aside.write_text(aside.read_text().replace(",x,", ",2,"))

    (mended,) = imported(database, aside)

    assert (mended.stored, mended.bad) == (1, 0)
    assert [each.price for each in all_of(database)] == [1, 2]


def test_lines_that_have_no_columns_are_bad_rows_with_their_number(database, tmp_path):
    path = tmp_path / "a.csv"
    good = f"{at(0).isoformat()},1,btc_usd\n"
    comment = "2026-11-01,-,btc_usd\n" * 15_000
    path.write_bytes(
        f"ts,price,index_name\n{good}1,2,btc_usd,4,5\n2026\n{comment}".encode() + b"2026-11-01,\xff\xfe,btc_usd\n"
    )

    (result,) = imported(database, path, resolution_s=0)

    assert (result.stored, result.bad) == (1, 15_003)
    assert result.examples == (
        "line 3: too many columns: 1,2,btc_usd,4,5",
        "line 4: missing columns: 2026",
        "line 15005: invalid encoding: 2026-11-01,??,btc_usd",
    )
    assert result.bad_rows is not None
    assert len(result.bad_rows.read_text().splitlines()) == 15_004


def test_a_parquet_file_has_bad_rows_too(database, tmp_path):
    path = parquet(
        tmp_path / "a.parquet",
        "SELECT * FROM (VALUES ('btc_usd', TIMESTAMP '2026-11-01', 1.0, 0), ('btc_usd', NULL, 1, 0), "
        "(NULL, TIMESTAMP '2026-11-01', 1, 0), ('btc_usd', TIMESTAMP '2026-11-02', 'nan'::DOUBLE, 0), "
        "('btc_usd', TIMESTAMP '2026-11-01', 1, -6), ('btc_usd', TIMESTAMP '2026-11-03', 2, 0)) "
        "AS rows(index_name, ts, price, resolution_s)",
    )

    (result,) = imported(database, path)

    assert (result.stored, result.bad) == (2, 4)
    assert [each.partition(":")[0] for each in result.examples] == [
        "time is missing or unreadable",
        "not an index name such as btc_usd",
        "price is missing or not a number",
    ]
    assert result.bad_rows is not None
    assert "resolution_s is not a whole number of seconds" in result.bad_rows.read_text()


def test_a_file_of_nothing_but_bad_rows_stores_nothing(database, tmp_path):
    (result,) = imported(database, written(tmp_path / "a.csv", "ts,price,index_name", ("x", "y", "btc_usd")))

    assert (result.stored, result.left_out, result.bad) == (0, 0, 1)


# Refusals


@pytest.mark.parametrize(
    ("name", "content", "columns", "says"),
    [
        ("a.json", b'{"ts": 1}', {}, "{path} is JSON: write its prices to CSV or Parquet"),
        ("a.parquet", b"PAR1 and no more", {}, "{path} is damaged, and may be cut: get the file anew"),
        ("a.csv", b"", {}, "{path} is empty"),
        (
            "a.csv",
            b"ts,value\n1,2\n",
            {},
            "{path} has no column for the price; it has ts, value: name one with --price",
        ),
        (
            "a.csv",
            b"ts,price\n1,2\n",
            {},
            "{path} has no column for the index; it has ts, price: name one with --index-column, or the index with",
        ),
        (
            "a.csv",
            b"ts,price\n1,2\n",
            {"time": "when"},
            "{path} has no column 'when'; it has ts, price: name one with --time",
        ),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_in_one_line(database, tmp_path, name, content, columns, says):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(FileError) as refused:
        imported(database, path, **columns)

    assert str(refused.value).startswith(says.format(path=path))
    assert "\n" not in str(refused.value)
    assert all_of(database) == []


def test_a_missing_file_stops_an_import_before_it_begins(database, tmp_path):
    with pytest.raises(FileError, match=r"nowhere\.csv is not a file"):
        imported(database, seconds(tmp_path / "a.parquet", [1]), tmp_path / "nowhere.csv")

    assert all_of(database) == []


def test_a_file_that_takes_too_much_memory_names_the_setting(tmp_path):
    path = tmp_path / "one group.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT 'btc_usd' AS index_name, make_timestamp(1767225600000000 + range) AS ts, random() AS price "
            "FROM range(1_000_000)) TO $path (FORMAT parquet, ROW_GROUP_SIZE 1_000_000)",
            {"path": str(path)},
        )

    with pytest.raises(FileError, match=r"^one group\.parquet: .* TICKWELL_MEMORY_LIMIT allows"):
        list(look_at(Database(tmp_path / "ticks.duckdb", "8MB"), [path], Columns(), nobody_listens))


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"file can't be used: "):
        imported(Database(tmp_path / "file/ticks.duckdb"), seconds(tmp_path / "a.parquet", [1]))


def test_only_one_import_runs_at_a_time(database, tmp_path):
    lock = FileLock(beside(database.path, "importing"))
    assert lock.try_acquire()

    with pytest.raises(BusyError, match=r"another import into .*, or an undo, is running"):
        imported(database, seconds(tmp_path / "a.parquet", [1]))
    lock.release()
    imported(database, seconds(tmp_path / "a.parquet", [1]))

    assert len(all_of(database)) == 1


# Interruptions


def test_an_import_that_is_killed_again_and_again_ends_like_one_that_was_not(database, tmp_path):
    count = 60_000
    path = parquet(
        tmp_path / "a.parquet",
        f"SELECT 'btc_usd' AS index_name, TIMESTAMP '2026-10-01' + to_seconds(hash(i) % {count}) AS ts, "
        f"1 + i % 7 AS price FROM range({count}) AS rows(i)",
    )
    for portions in (1, 2, 4):
        with start("import_in_portions", database.path, str(path)) as program:
            for _ in range(portions):
                line(program)
            program.process.kill()
            program.finish()

    (result,) = imported(database, path)

    with duckdb.connect() as connection:
        ((expected,),) = connection.execute(f"SELECT count(DISTINCT ts) FROM '{path}'").fetchall()
    with database.read() as cursor:
        assert cursor.execute("SELECT count(*), count(DISTINCT ts) FROM ticks").fetchall() == [(expected, expected)]
        count_by_hours, _, _ = ticks.summary(cursor)["btc_usd"]
    assert count_by_hours == expected
    assert 0 < result.stored < expected
    assert [each.name for each in database.path.parent.glob("*.import-*")] == []


def test_the_progress_of_an_import_is_reported_from_its_beginning(database, tmp_path):
    query = "SELECT 'btc_usd' AS index_name, TIMESTAMP '2026-10-01' + to_seconds(i) AS ts, 1 AS price"
    path = parquet(tmp_path / "a.csv", f"{query} FROM range(300_000) AS rows(i)")
    told: list[tuple[str, int, int]] = []

    list(import_files(database, [path], Columns(), lambda *how_far: told.append(how_far), Limits(tell_s=0)))

    reading = [done for what, done, of in told if what == "reading a.csv" and of == 100]
    assert len(reading) > 1
    assert reading[0] == 0


@pytest.mark.parametrize("at_work", ["reading", "looking", "sorting"])
def test_an_import_that_is_interrupted_before_it_stores_leaves_nothing(database, tmp_path, at_work):
    path = written(tmp_path / "a.csv", "ts,price,index_name", (at(2), 2, "btc_usd"), (at(1), 1, "btc_usd"))

    def interrupt(what: str, _done: int, _total: int) -> None:
        if what.startswith(at_work):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(import_files(database, [path], Columns(), interrupt))

    assert all_of(database) == []
    assert list(database.path.parent.glob("*.import-*")) == []
