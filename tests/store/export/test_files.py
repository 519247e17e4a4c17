"""Exports have exactly the rows of their query, are the same each time, and never outgrow their folder."""

import gc
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import openpyxl
import pandas as pd
import polars as pl
import portalocker
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from portalocker import LockFlags

from settings import VERSION
from store.errors import BusyError, NoDatabaseError, StoreError
from store.export import survey as export_survey
from store.export.files import Export, Exports, Job, Limits, manifest_of
from store.export.query import ExportQuery
from store.file.database import Database
from store.file.locks import FileLock
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.prices import candles
from store.prices.bars import bars
from store.progress import Tell, unheard
from tests.conftest import START, reads_of, tick, wait_until
from tests.store.histories import at, averaged, missed, observed, ran
from tests.support.stored import append

GB = 10**9
MINUTE = timedelta(minutes=1)


@pytest.fixture
def exported(database: Database) -> Exports:
    return Exports(database, GB)


def asked(end_s: float = 3600, start_s: float = 0, names: str = "btc_usd eth_usd", **more: Any) -> ExportQuery:
    return ExportQuery(tuple(names.split()), at(start_s), at(end_s), **more)


def a_history(database: Database, seconds: int = 600) -> None:
    """Store both indexes each second; averages over 6 s healed one minute of one index."""
    with database.write() as cursor:
        ran(cursor, 0, seconds, 1, "btc_usd", "eth_usd")
        live = [second for second in range(seconds) if not 120 <= second < 180]
        observed(cursor, live)
        missed(cursor, range(120, 180))
        observed(cursor, range(seconds), "eth_usd")
        averaged(cursor, 120, 180, 6)


def rows_of(database: Database, query: str, **values: Any) -> list[tuple[Any, ...]]:
    with database.read() as cursor:
        return cursor.execute(query, values).fetchall()


ALL_TICKS = "SELECT index_name, epoch_us(ts), epoch_us(received_at), price, source, resolution_s FROM ticks"


# Round trips, read by programs other than DuckDB


def test_ticks_come_back_from_parquet_unchanged_and_sorted_by_time(exported: Exports, database: Database):
    a_history(database)

    made = exported.make(asked())

    found = pq.read_table(made.path)
    instant = pa.timestamp("us", "UTC")
    assert [(field.name, field.type) for field in found.schema] == [
        ("index_name", pa.string()),
        ("ts", instant),
        ("received_at", instant),
        ("price", pa.float64()),
        ("source", pa.string()),
        ("resolution_s", pa.int32()),
    ]
    back = [
        (row["index_name"], _us(row["ts"]), _us(row["received_at"]), row["price"], row["source"], row["resolution_s"])
        for row in found.to_pylist()
    ]
    assert back == rows_of(database, f"{ALL_TICKS} ORDER BY ts, index_name")
    assert made.rows == len(back) == 540 + 600 + 10


def test_pandas_and_polars_read_aware_times_in_utc(exported: Exports, database: Database):
    a_history(database)

    made = exported.make(asked())

    by_pandas, by_polars = pd.read_parquet(made.path), pl.read_parquet(made.path)
    assert str(by_pandas["ts"].dtype) == "datetime64[us, UTC]"
    assert by_polars.schema["ts"] == pl.Datetime("us", "UTC")
    assert by_pandas["ts"].to_list() == by_polars["ts"].to_list()
    assert by_polars["received_at"].null_count() == by_pandas["received_at"].isna().sum() == 10
    assert by_pandas["price"].sum() == by_polars["price"].sum() == 1140 * 100 + 10 * 50


def test_ticks_come_back_from_csv_unchanged(exported: Exports, database: Database):
    a_history(database)
    append(database, tick(3601.123457, price=0.1 + 0.2))

    made = exported.make(asked(4000, format="csv"))

    assert made.path.name.endswith(".csv.gz")
    found = pd.read_csv(made.path, parse_dates=["ts", "received_at"])
    assert str(found["ts"].dtype).endswith(", UTC]")
    back = [(row.index_name, _us(row.ts), _us(row.received_at), row.price, row.source) for row in found.itertuples()]
    assert back == [row[:5] for row in rows_of(database, f"{ALL_TICKS} ORDER BY ts, index_name")]
    by_polars = pl.read_csv(made.path, try_parse_dates=True)
    assert by_polars.schema["ts"] == pl.Datetime("us", "UTC")
    assert by_polars.schema["price"] == pl.Float64()
    assert by_polars["ts"].to_list() == found["ts"].to_list()


def test_candles_come_back_from_csv(exported: Exports, database: Database):
    a_history(database)

    candles_of = {kind: exported.make(asked(600, interval=MINUTE, format=kind)).path for kind in ("parquet", "csv")}

    found = pd.read_csv(candles_of["csv"], parse_dates=["open_time"])
    pd.testing.assert_frame_equal(found, pd.read_parquet(candles_of["parquet"]), check_dtype=False)


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_an_export_is_imported_as_the_same_prices(exported: Exports, database: Database, tmp_path: Path, kind: str):
    a_history(database)
    another = Database(tmp_path / "another.duckdb")

    (imported,) = import_files(another, [exported.make(asked(format=kind)).path], Columns(), lambda *_: None)

    assert (imported.stored, imported.bad) == (1150, 0)
    its = "SELECT index_name, ts, received_at, price, resolution_s FROM ticks ORDER BY ALL"
    assert rows_of(another, its) == rows_of(database, its)


def test_excel_has_the_rows_with_times_in_utc_and_says_what_they_are(exported: Exports, database: Database):
    append(database, tick(0), tick(1, "eth_usd", 0.25), tick(2, source="chart", received_at=None, resolution_s=60))

    made = exported.make(asked(format="xlsx"))

    book = openpyxl.load_workbook(made.path)
    heads, *rows = book["ticks"].iter_rows(values_only=True)
    assert heads == ("index_name", "ts (UTC)", "received_at (UTC)", "price", "source", "resolution_s")
    begin = START.replace(tzinfo=None)
    assert rows == [
        ("btc_usd", begin, begin + timedelta(milliseconds=20), 100, "live", 0),
        ("eth_usd", begin + timedelta(seconds=1), begin + timedelta(milliseconds=1020), 0.25, "live", 0),
        ("btc_usd", begin + timedelta(seconds=2), None, 100, "chart", 60),
    ]
    about = {str(name): fact for name, fact in book["about"].iter_rows(values_only=True)}
    assert about["units"] == '{"btc_usd": "USD per BTC", "eth_usd": "USD per ETH"}'


def test_a_full_excel_sheet_says_that_rows_are_missing(database: Database):
    append(database, *(tick(second) for second in range(9)))

    made = Exports(database, GB, Limits(window=3, sheet=5)).make(asked(format="xlsx"))

    assert (made.rows, made.manifest["capped"]) == (5, True)
    assert openpyxl.load_workbook(made.path)["ticks"].max_row == 6


def test_a_text_is_no_formula_in_excel(exported: Exports, database: Database):
    append(database, tick(0, source="=1+1"))

    made = exported.make(asked(format="xlsx"))

    assert openpyxl.load_workbook(made.path)["ticks"]["E2"].data_type == "s"


# The content of an export


def test_an_export_has_the_half_open_range_and_the_given_indexes_only(exported: Exports, database: Database):
    append(database, *(tick(second) for second in range(10)), tick(3, "eth_usd"))

    made = exported.make(asked(5, 2, "btc_usd"))

    assert [_us(each) for each in pq.read_table(made.path)["ts"].to_pylist()] == [
        _us(at(second)) for second in (2, 3, 4)
    ]


@pytest.mark.parametrize("interval_s", [1, 30, 60, 900, 3600, 86_400, 7 * 86_400])
def test_exported_candles_equal_those_of_the_charts(exported: Exports, database: Database, interval_s: int):
    with database.write() as cursor:
        observed(cursor, [second for second in range(0, 20_000, 7) if not 7000 < second < 9000])
        averaged(cursor, 7000, 9000, 60)
    interval = timedelta(seconds=interval_s)

    made = exported.make(asked(20_000, -8 * 86_400, "btc_usd", interval=interval))

    with database.read() as cursor:
        drawn = bars(cursor, "btc_usd", made.query.start, made.query.end, interval)
    found = pd.read_parquet(made.path)
    columns = [name for name in found.columns if name != "index_name"]
    assert len(found) == len(drawn) > 0
    pd.testing.assert_frame_equal(found[columns], drawn[columns], check_dtype=False)


def test_candles_without_healed_points_are_made_of_observations(exported: Exports, database: Database):
    a_history(database)

    minutes = {
        healed: pd.read_parquet(exported.make(asked(600, names="btc_usd", interval=MINUTE, healed=healed)).path)
        for healed in (True, False)
    }

    assert minutes[True]["observed_count"].to_list() == [60, 60, 0, *[60] * 7]
    assert minutes[False]["tick_count"].to_list() == [60] * 9
    assert minutes[False]["low"].min() == 100


def test_ticks_without_healed_points_are_observations(exported: Exports, database: Database):
    a_history(database)

    made = exported.make(asked(healed=False))

    assert set(pq.read_table(made.path)["source"].to_pylist()) == {"live"}
    assert made.manifest["sources"]["btc_usd"] == {"live": 540}


def test_an_export_without_rows_has_its_columns(exported: Exports, database: Database):
    made = exported.make(asked())

    assert (made.rows, made.manifest["first"], made.manifest["last"]) == (0, None, None)
    assert pq.read_table(made.path).column_names == [
        "index_name",
        "ts",
        "received_at",
        "price",
        "source",
        "resolution_s",
    ]


def test_parquet_states_its_content_and_coverage(exported: Exports, database: Database):
    a_history(database)

    made = exported.make(asked(600, interval=MINUTE))

    said = {
        name.decode().removeprefix("tickwell."): json.loads(fact)
        for name, fact in pq.read_schema(made.path).metadata.items()
        if name.startswith(b"tickwell.")
    }
    assert said["indexes"] == ["btc_usd", "eth_usd"]
    assert (said["start"], said["end"]) == ("2026-11-01T12:00:00+00:00", "2026-11-01T12:10:00+00:00")
    assert (said["version"], said["rows_are"], said["interval"], said["healed"]) == (VERSION, "candles", "1m", True)
    assert said["units"] == {"btc_usd": "USD per BTC", "eth_usd": "USD per ETH"}
    assert said["sources"] == {"btc_usd": {"chart": 10, "live": 540}, "eth_usd": {"live": 600}}
    assert said["coverage"]["btc_usd"]["due"] == 600
    assert [(gap["slots"], gap["state"], gap["cause"]) for gap in said["gaps"]] == [(60, "healed", "unreachable")]
    assert {name: made.manifest[name] for name in said} == said


def test_readers_can_skip_by_row_groups_that_are_sorted_by_time(exported: Exports, database: Database):
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO ticks SELECT 'btc_usd', TIMESTAMP '2026-11-01 12:00' + to_milliseconds(n), NULL, n, 'live', 0 "
            "FROM range(1, 260_001) AS numbers(n)"
        )

    described = pq.ParquetFile(exported.make(asked()).path).metadata

    groups = [described.row_group(number) for number in range(described.num_row_groups)]
    assert [group.num_rows for group in groups] == [122_880, 122_880, 14_240]
    ends = [(group.column(1).statistics.min, group.column(1).statistics.max) for group in groups]
    assert [end for pair in ends for end in pair] == sorted(end for pair in ends for end in pair)
    assert groups[0].column(1).compression == "ZSTD"
    assert [each.column_index for each in groups[0].sorting_columns] == [1]


# The same query again


@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx"])
def test_equal_exports_have_equal_bytes_for_any_size_of_windows(exported: Exports, database: Database, kind: str):
    a_history(database)
    made = exported.make(asked(format=kind))
    before = made.path.read_bytes()
    made.path.unlink()

    again = Exports(database, GB, Limits(window=100)).make(asked(format=kind))

    assert (again.path, again.sha256) == (made.path, made.sha256)
    assert again.path.read_bytes() == before


def test_the_same_query_gets_the_same_file_again(exported: Exports, database: Database):
    a_history(database)
    made = exported.make(asked())
    inode = made.path.stat().st_ino

    assert exported.make(asked(names="eth_usd btc_usd eth_usd")).path.stat().st_ino == inode
    assert Exports(database, GB).make(asked()).path.stat().st_ino == inode


@pytest.mark.parametrize("second", [0.5, 599.5])
def test_a_new_tick_in_the_range_makes_another_file(exported: Exports, database: Database, second: float):
    a_history(database)
    made = exported.make(asked(600))

    append(database, tick(second))

    again = exported.make(asked(600))
    assert again.path != made.path
    assert again.rows == made.rows + 1


def test_a_new_tick_outside_the_range_keeps_the_file(exported: Exports, database: Database):
    a_history(database)
    made = exported.make(asked(600))

    append(database, tick(600), tick(3, "sol_usdc"))

    assert exported.make(asked(600)).path == made.path
    assert Exports(database, GB).make(asked(600)).path == made.path


def test_ticks_that_come_during_an_export_are_not_in_it(database: Database):
    exported = Exports(database, GB, Limits(window=100))
    a_history(database)

    def tell(read: int, total: int) -> None:
        append(database, tick(read / 2000 + 300))

    made = exported.make(asked(600), tell)

    assert made.rows == 1150 == pq.read_metadata(made.path).num_rows
    assert exported.make(asked(600)).rows > 1150


def test_a_truncated_file_is_made_again(exported: Exports, database: Database):
    a_history(database)
    made = exported.make(asked())
    os.truncate(made.path, 100)

    assert exported.make(asked()).path.stat().st_size == made.manifest["bytes"]


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_a_file_without_a_manifest_is_made_again(exported: Exports, database: Database, text: str):
    made = exported.make(asked())
    manifest_of(made.path).write_text(text)

    again = exported.make(asked())

    assert json.loads(manifest_of(again.path).read_text())["sha256"] == made.sha256


# How an export is made


def test_progress_is_reported_in_ticks(database: Database):
    a_history(database)
    told: list[tuple[int, int]] = []

    Exports(database, GB, Limits(window=400)).make(asked(), lambda read, total: told.append((read, total)))

    assert told[-1] == (1150, 1150)
    assert [read for read, _ in told] == sorted(read for read, _ in told)
    assert len(told) > 2


def test_no_window_has_more_ticks_than_one_lease_reads(database: Database):
    a_history(database)
    append(database, *(tick(7200 + second) for second in range(50)))

    windows = list(export_survey.survey(database, asked(9000).closed(at(9000))).windows(100))

    assert [start for start, *_ in windows[1:]] == [end for _, end, _ in windows[:-1]]
    assert (windows[0][0], windows[-1][1]) == (at(0), at(9000))
    assert sum(count for *_, count in windows) == 1200
    assert max(count for *_, count in windows) <= 100


def test_a_window_of_candles_ends_with_a_candle(database: Database):
    day = timedelta(days=1)
    append(database, *(tick(hour * 3600) for hour in range(96)))

    windows = list(
        export_survey.survey(database, asked(96 * 3600, -86_400, interval=day).closed(at(96 * 3600))).windows(10)
    )

    assert all(not (end - START.replace(hour=0)) % day for _, end, _ in windows)
    assert len(windows) == 4


def test_an_estimate_is_near_the_real_size(database: Database, exported: Exports):
    a_history(database)
    for more in ({}, {"healed": False}, {"interval": MINUTE}):
        query = asked(600, **more)
        with database.read() as cursor:
            estimated = export_survey.estimate(cursor, query.closed(at(600)))

        assert estimated.rows == pytest.approx(exported.make(query).rows, rel=0.15), more
        assert estimated.size > 0


def test_an_estimate_counts_closed_hours_by_their_candles(database: Database, exported: Exports):
    with database.write() as cursor:
        observed(cursor, range(0, 4 * 3600, 10))
        assert not candles.close(cursor, at(3 * 3600 + 1800))
    with database.read() as cursor:
        estimated = export_survey.estimate(cursor, asked(4 * 3600, names="btc_usd"))

    assert estimated.rows == exported.make(asked(4 * 3600, names="btc_usd")).rows == 1440


def test_an_estimate_without_ticks_is_zero(database: Database):
    with database.read() as cursor:
        assert export_survey.estimate(cursor, asked(interval=MINUTE)) == export_survey.Estimate(0, 0)


def test_simultaneous_queries_get_one_file(exported: Exports, database: Database):
    a_history(database)
    made: list[Export] = []
    threads = [threading.Thread(target=lambda: made.append(exported.make(asked()))) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len({(each.path, each.path.stat().st_ino) for each in made}) == 1
    assert len(made) == 4


def test_an_export_waits_for_another_process(exported: Exports, database: Database, monkeypatch):
    refused, real = threading.Event(), portalocker.lock

    def lock_it(file: IO[bytes], flags: LockFlags) -> None:
        try:
            real(file, flags)
        except portalocker.AlreadyLocked:
            refused.set()
            raise

    exported.make(asked())
    lock = FileLock(exported.folder / ".lock")
    assert lock.try_acquire()
    monkeypatch.setattr(portalocker, "lock", lock_it)
    job = Job(exported, asked(format="csv"))
    assert refused.wait(10)
    with pytest.raises(BusyError, match="another process is exporting"):
        Exports(database, GB, Limits(wait_s=0.05)).make(asked(names="eth_usd"))
    assert (job.over, job.failure) == (False, None)

    lock.release()

    wait_until(lambda: job.over)
    assert job.made().path.exists()


def test_an_export_waits_for_another_thread_no_longer_than_its_limit(database: Database):
    exported, begun, may_end = Exports(database, GB, Limits(wait_s=0.05)), threading.Event(), threading.Event()
    a_history(database)

    def take_time(read: int, total: int) -> None:
        begun.set()
        assert may_end.wait(10)

    with ThreadPoolExecutor(1) as another:
        slow = another.submit(exported.make, asked(), take_time)
        assert begun.wait(10)
        with pytest.raises(BusyError, match="other exports are still running"):
            exported.make(asked(names="eth_usd"))
        may_end.set()
    assert slow.result().path.exists()


def test_a_job_has_its_progress_and_its_failure(exported: Exports, database: Database, tmp_path: Path):
    a_history(database)

    job = Job(exported, asked())
    wait_until(lambda: job.over)
    failed = Job(Exports(Database(tmp_path / "nowhere.duckdb"), GB), asked())
    wait_until(lambda: failed.over)

    assert (job.read, job.total, job.made().rows, job.failure) == (1150, 1150, 1150, None)
    assert isinstance(failed.failure, NoDatabaseError)
    with pytest.raises(NoDatabaseError):
        failed.made()


class Mistaken(Exports):
    def make(self, query: ExportQuery, tell: Tell = unheard) -> Export:
        raise ZeroDivisionError


def test_an_unexpected_error_ends_a_job_with_a_failure(database: Database, monkeypatch: pytest.MonkeyPatch):
    told: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_type))

    job = Job(Mistaken(database, GB), asked())
    wait_until(lambda: told)

    assert told == [ZeroDivisionError]
    assert str(job.failure) == "the export failed, and the server's log says why"


def test_the_next_export_removes_the_remains_of_an_interrupted_one(exported: Exports):
    made = exported.make(asked())
    left = exported.folder / ".unfinished-a"
    left.mkdir()
    (left / "part.parquet").write_bytes(b"x")

    exported.make(asked(format="csv"))

    assert not left.exists()
    assert made.path.exists()


@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx"])
def test_a_failed_export_leaves_no_file(exported: Exports, database: Database, kind: str):
    a_history(database)

    def gone(read: int, total: int) -> None:
        raise OSError(28, "No space left on device", "a.parquet")

    with pytest.raises(StoreError, match=r"^a.parquet can't be written: No space left on device$"):
        exported.make(asked(format=kind), gone)

    assert [path.name for path in exported.folder.iterdir()] == [".lock"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # xlsxwriter then leaves a file open
def test_a_workbook_that_cannot_be_written_is_one_line(exported: Exports, database: Database):
    a_history(database)

    def gone(read: int, total: int) -> None:
        for path in exported.folder.glob(".unfinished-*/*"):
            path.unlink()
        for path in exported.folder.glob(".unfinished-*"):
            path.rmdir()

    with pytest.raises(StoreError, match="can't be written"):
        exported.make(asked(format="xlsx"), gone)
    gc.collect()


def test_a_folder_that_cannot_be_made_is_one_line(exported: Exports):
    exported.folder.write_text("a file")

    with pytest.raises(StoreError, match=r"exports/.* can't be written: Not a directory$"):
        exported.make(asked())


# The size of the folder


def test_the_folder_never_outgrows_its_size_and_loses_the_files_asked_for_longest_ago(database: Database):
    a_history(database)
    plenty = Exports(database, GB)
    first, second, third = (plenty.make(asked(end_s)) for end_s in (700, 800, 900))
    third.path.unlink()
    for made, ago in ((first, 2), (second, 3)):
        _asked_ago(made.path, timedelta(minutes=ago))
    most_bytes = _size_of(plenty.folder)
    exported = Exports(database, most_bytes)
    exported.make(asked(800))

    exported.make(asked(900))

    assert not first.path.exists()
    assert not manifest_of(first.path).exists()
    assert second.path.exists()
    assert third.path.exists()
    assert _size_of(plenty.folder) <= most_bytes


def test_an_export_that_is_too_large_by_itself_is_refused(database: Database):
    a_history(database)

    with pytest.raises(StoreError, match=r"larger than 1,000 bytes, .*: ask for less, or .* TICKWELL_EXPORTS_LIMIT$"):
        Exports(database, 1000).make(asked())

    assert [path.name for path in (database.path.parent / "exports").iterdir()] == [".lock"]


def test_the_next_export_removes_files_that_nobody_asked_for_in_a_day(exported: Exports):
    old, young = exported.make(asked()), exported.make(asked(names="eth_usd"))
    _asked_ago(old.path, timedelta(hours=25))
    _asked_ago(young.path, timedelta(hours=23))

    exported.make(asked(format="csv"))

    assert not old.path.exists()
    assert young.path.exists()


def test_files_of_others_stay(database: Database):
    exported = Exports(database, 20_000)
    exported.make(asked())
    theirs = exported.folder / "notes.parquet"
    theirs.write_bytes(b"x" * 30_000)
    _asked_ago(theirs, timedelta(days=9))

    exported.make(asked(format="csv"))

    assert theirs.exists()


def test_the_latest_surveys_are_remembered(database: Database):
    exported = Exports(database, GB, Limits(surveys=2))
    append(database, tick())
    for end_s in (10, 20, 30):
        exported.make(asked(end_s))

    def reads(end_s: float) -> int:
        """The number of reads of the database for a query that was made before."""
        before = reads_of(database)
        exported.make(asked(end_s))
        return reads_of(database) - before

    assert reads(30) == reads(20) < reads(10)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _us(instant: Any) -> int | None:
    return None if pd.isna(instant) else round((instant - pd.Timestamp(0, tz="UTC")) / timedelta(microseconds=1))


def _asked_ago(path: Path, ago: timedelta) -> None:
    its = path.stat()
    os.utime(path, (its.st_atime - ago.total_seconds(), its.st_mtime))
