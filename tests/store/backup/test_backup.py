"""A backup is a consistent copy whatever happens meanwhile, and a restore gives back the same rows."""

import json
import os
import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from store.backup.backup import Made, backup
from store.backup.days import Limits
from store.backup.manifest import read_manifest
from store.backup.restore import restore
from store.backup.verify import faults_of_database, what_it_holds
from store.errors import BusyError, NewerSchemaError, RecorderError, StoreError
from store.file import schema
from store.file.database import Database
from store.file.locks import FileLock
from store.file.recorder import read_notice
from store.health import vitals
from store.health.vitals import Vitals
from store.kinds import KINDS, TICKS
from store.ledger import runs
from store.models import Cause, Miss, Run
from store.prices import averages, candles, ticks
from tests.conftest import START, WHOLE, tick, wait_until
from tests.store.files import OF_SCHEMA_2, checkpoint
from tests.store.processes import line, start
from tests.support.backups import faults, manifest_in, rows
from tests.support.candles import expect_candles_of_ticks

DAY = 86_400


@pytest.fixture
def filled(database: Database) -> Database:
    """A file with three days of ticks, and rows in each other table."""
    with database.write() as cursor:
        runs.note(cursor, Run(START, {"btc_usd": 5, "eth_usd": 5}, "0.1.0"))
        for day in range(3):
            append_day(cursor, day)
        averages.append(cursor, "btc_usd", [(START - timedelta(days=9), 50.123456)], DAY)
        runs.append_misses(cursor, [Miss(START, "btc_usd", Cause.UNREACHABLE, "no route; ☎", None)])
        vitals.append(cursor, [Vitals(START, 12, 0.08, None, 0.01, 10**8, 10**11)])
    return database


def append_day(cursor: duckdb.DuckDBPyConnection, day: int, *seconds: int) -> None:
    its = seconds or (1, 2, 3)
    ticks.append(cursor, [tick(day * DAY + each, name) for each in its for name in ("eth_usd", "btc_usd")])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Back up, lose, restore


def test_a_lost_database_is_restored_row_by_row(filled: Database, folder: Path):
    before = rows(filled.path)
    backup(filled, folder)
    for path in filled.path.parent.glob("ticks.duckdb*"):
        path.unlink()

    restore(folder, filled)

    assert all(before[table] for table in ("ticks", "runs", "misses", "vitals", "migrations"))
    after = rows(filled.path)
    assert {table: after[table] for table in after.keys() - candles.TABLES} == {
        table: before[table] for table in before.keys() - candles.TABLES
    }
    assert list(faults_of_database(filled)) == []
    with filled.write() as cursor:
        append_day(cursor, 4)


def test_a_backup_during_writes_is_of_one_instant(database: Database, folder: Path):
    few = Limits(rows=50)
    with start("append", database.path, 0, 40) as writer:
        wait_until(lambda: count(database) >= 20)
        made = [backup(database, folder, limits=few)]
        while writer.process.poll() is None:
            made.append(backup(database, folder, limits=few))
            assert faults(folder) == []

    assert made[-1].rows["ticks"] >= made[0].rows["ticks"] >= 20
    restored = Database(folder.with_name("restored.duckdb"))
    restore(folder, restored)
    with restored.read() as cursor:
        seconds = sorted(
            round((each.ts - START).total_seconds()) for each in ticks.newest_first(cursor, "btc_usd", 999)
        )
    assert seconds == list(range(made[-1].rows["ticks"]))


def count(database: Database) -> int:
    with database.read() as cursor:
        return int(cursor.execute("SELECT count(*) FROM ticks").fetchall()[0][0])


def test_a_recorder_that_holds_the_file_gives_way_to_a_backup(database: Database, folder: Path):
    with start("keep_held", database.path) as holder:
        assert line(holder) == "held"

        assert backup(database, folder) == Made({"ticks": 1}, 1, 1)


def test_rows_keep_their_numbers_after_any_change_of_the_file(filled: Database):
    """Reading the ticks of one instant over many leases depends on this."""

    def numbered() -> list[tuple[object, ...]]:
        with filled.read() as cursor:
            return cursor.execute("SELECT rowid, index_name, ts FROM ticks ORDER BY rowid").fetchall()

    first = numbered()
    seen = []
    for change in ("append", "checkpoint", "kill"):
        if change == "kill":
            with start("append_until_killed", filled.path, "leased") as program:
                line(program)
                program.process.kill()
                program.finish()
        else:
            with filled.write() as cursor:
                append_day(cursor, 5 if change == "append" else 6)
            checkpoint(filled)
        seen.append(numbered())

    assert [rowid for rowid, *_ in seen[-1]] == list(range(len(seen[-1])))
    assert all(later[: len(first)] == first for later in seen)
    assert len(seen[-1]) > len(seen[1]) > len(seen[0]) > len(first)


# Day by day


def test_an_unchanged_day_is_not_written_again(filled: Database, folder: Path):
    first = backup(filled, folder)
    before = {file.day: file.path for file in manifest_in(folder).tables["ticks"]}
    with filled.write() as cursor:
        append_day(cursor, 1, 7)  # a heal adds ticks to a day that is over
        append_day(cursor, 3)

    second = backup(filled, folder)

    after = {file.day: file.path for file in manifest_in(folder).tables["ticks"]}
    assert (first, second) == (Made({"ticks": 19}, 4, 4), Made({"ticks": 27}, 5, 2))
    assert {day for day in after if after[day] != before.get(day)} == {"2026-11-02", "2026-11-04"}
    assert sorted(path.name for path in (folder / "ticks").iterdir()) == sorted(
        Path(each).name for each in after.values()
    )
    assert faults(folder) == []


def days_of(folder: Path) -> list[str]:
    return [file.day for file in manifest_in(folder).tables["ticks"]]


@pytest.fixture
def sparse(database: Database) -> Database:
    """A file with a price for each day from 2026-08-20 to 2026-11-10."""
    with database.write() as cursor:
        days = [START + timedelta(days=day) for day in range(-73, 10)]
        averages.append(cursor, "btc_usd", [(at, 50.0 + number) for number, at in enumerate(days)], DAY)
    return database


def test_older_months_with_few_rows_have_one_file_each(sparse: Database, folder: Path):
    made = backup(sparse, folder)

    november = [f"2026-11-{day:02}" for day in range(1, 11)]
    august = [f"2026-08-{day}" for day in range(20, 32)]  # too few days
    assert days_of(folder) == [*august, "2026-09", "2026-10", *november]
    assert (made, backup(sparse, folder)) == (Made({"ticks": 83}, 24, 24), Made({"ticks": 83}, 24, 0))
    assert faults(folder) == []
    before = rows(sparse.path)["ticks"]
    for path in sparse.path.parent.glob("ticks.duckdb*"):
        path.unlink()
    restore(folder, sparse)
    assert rows(sparse.path)["ticks"] == before


def test_a_month_with_one_file_keeps_it_and_what_is_lost_of_it_is_told(
    sparse: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    backup(sparse, folder)
    monkeypatch.setattr("store.backup.days._ROWS_OF_A_MONTH", 3)
    with sparse.write() as cursor:
        ticks.append(cursor, [tick(-40 * DAY + second) for second in (1, 2, 3)])  # on 22 September

    changed = backup(sparse, folder, limits=Limits(piece=5))
    with sparse.write() as cursor:
        cursor.execute("DELETE FROM ticks WHERE ts BETWEEN '2026-09-03' AND '2026-09-05'")
    with pytest.raises(StoreError, match="has ticks that the database doesn't have, 2 of 2026-09 for one"):
        backup(sparse, folder)

    assert (changed.days, changed.written) == (24, 1)
    assert faults(folder) == []


def test_what_a_backup_has_by_day_stays_by_day(sparse: Database, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("store.backup.days._ROWS_OF_A_MONTH", 0)
    backup(sparse, folder)
    monkeypatch.undo()

    assert backup(sparse, folder).written == 0
    assert len(days_of(folder)) == 83


def test_the_manifest_names_the_content_of_each_file(filled: Database, folder: Path):
    backup(filled, folder)

    found = json.loads((folder / "manifest.json").read_text())

    assert found["schema"] == schema.newest()
    without_rows = {table for kind in KINDS if kind is not TICKS for table in kind.tables}
    assert set(found["tables"]) == rows(filled.path).keys() - candles.TABLES - without_rows
    (first, *_) = found["tables"]["ticks"]
    assert (first["day"], first["rows"], first["start"]) == ("2026-10-23", 1, "2026-10-23T12:00:00+00:00")
    assert found["tables"]["watermark"][0]["rows"] == 0
    with duckdb.connect() as connection:
        column = connection.execute(f"DESCRIBE FROM '{folder / first['path']}'").fetchall()[1]
    assert column[:2] == ("ts", "TIMESTAMP WITH TIME ZONE")


def test_a_backup_keeps_ticks_that_the_database_lost(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    before = contents(folder)
    anew = Database(tmp_path / "anew.duckdb")
    anew.migrate()
    said = []
    for day, seconds in ((0, (1,)), (0, (4, 5, 6, 7))):
        with anew.write() as cursor:
            append_day(cursor, day, *seconds)
            averages.append(cursor, "btc_usd", [(START - timedelta(days=9), 50.123456)], DAY)
            for other in (1, 2):
                append_day(cursor, other)
        with pytest.raises(StoreError) as caught:
            backup(anew, folder)
        said.append(str(caught.value))

    assert said == [
        f"{folder} has ticks that the database doesn't have, {missing} of 2026-11-01 for one: restore it first, or "
        "back up into another folder; it was left as it is"
        for missing in (4, 4)
    ]
    assert contents(folder) == before


def test_a_folder_allows_one_backup_at_a_time(filled: Database, folder: Path):
    folder.mkdir()
    lock = FileLock(folder / ".lock")
    assert lock.try_acquire()

    with pytest.raises(BusyError, match=rf"^another backup into {folder} is under way$"):
        backup(filled, folder)

    lock.release()
    assert backup(filled, folder).rows["ticks"] == 19


def test_a_backup_reports_its_progress(filled: Database, folder: Path, tmp_path: Path):
    told: list[tuple[int, int]] = []

    backup(filled, folder, lambda *step: told.append(step))
    made = list(told)
    restore(folder, Database(tmp_path / "new.duckdb"), lambda *step: told.append(step))

    assert made[-1] == (4, 4)
    files = len(list(manifest_in(folder).files))
    assert told[-1] == (files, files)


def test_days_that_take_long_have_separate_leases(filled: Database, folder: Path):
    backup(filled, folder, limits=Limits(copy_s=0))

    assert faults(folder) == []


# What can go wrong


@pytest.mark.parametrize("moment", range(6) if WHOLE else [1, 4])
def test_a_killed_backup_leaves_the_backup_before(filled: Database, folder: Path, moment: int):
    backup(filled, folder)
    with filled.write() as cursor:
        for day in range(4, 60):
            append_day(cursor, day)
    before = manifest_in(folder)
    with start("back_up", filled.path, folder) as program:
        assert line(program) == "ready"
        wait_until(
            lambda: len(list((folder / "ticks").iterdir())) > 4 + 8 * moment or program.process.poll() is not None
        )
        program.process.kill()
        program.finish()

    after = manifest_in(folder)
    assert faults(folder) == []
    assert after == before or len(after.tables["ticks"]) == 60

    assert backup(filled, folder).days == 60
    assert faults(folder) == []
    assert len(list((folder / "ticks").iterdir())) == 60
    assert not list(folder.rglob("*unfinished"))


def test_other_files_in_the_folder_stay(filled: Database, folder: Path):
    others = [
        folder / name
        for name in (
            "mine.parquet",
            "notes.new",
            "ticks/mine.parquet",
            "prices-202611011200.parquet",
            "ticks-202611011200.parquet.bak",
            "ticks/prices-202611011200.parquet",
            "ticks/ticks-202611011200.parquet",
            "2026-11-01-202611011200.parquet",
            "runs-202611011200.parquet/mine",
            "own-table-202611011200.parquet",
            "own-table-mine-202611011200.parquet",
        )
    ]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text(f"mine: {other.name}")

    for _ in range(2):
        backup(filled, folder)

    assert [other.read_text() for other in others] == [f"mine: {other.name}" for other in others]
    assert faults(folder) == []


def test_the_remains_of_an_interrupted_backup_are_removed(filled: Database, folder: Path):
    left = [
        folder / name
        for name in (
            "runs-0123456789ab.parquet",
            "own-table-12-0123456789ab.parquet",
            "ticks/2026-11-01-0123456789ab.parquet",
            "ticks/2026-11-01.tickwell-unfinished",
        )
    ]
    (folder / "ticks").mkdir(parents=True)
    for path in left:
        path.write_text("")

    backup(filled, folder)

    assert [path for path in left if path.exists()] == []


def test_the_remains_of_a_backup_without_a_manifest_are_removed(filled: Database, folder: Path):
    with duckdb.connect(filled.path) as connection:
        connection.execute("CREATE TABLE mine AS SELECT 1 AS x")
    backup(filled, folder)
    left = list(folder.rglob("*.parquet"))
    (folder / "manifest.json").unlink()
    with duckdb.connect(filled.path) as connection:
        connection.execute("DROP TABLE mine; DELETE FROM misses")
    with filled.write() as cursor:
        append_day(cursor, 0, 7)

    backup(filled, folder)

    named = {folder / file.path for file in manifest_in(folder).files}
    assert set(left) - named
    assert set(folder.rglob("*.parquet")) == named


def test_a_folder_that_is_a_file_is_refused_in_one_line(filled: Database, folder: Path):
    folder.write_text("in the way")

    with pytest.raises(StoreError, match=rf"^{folder}/ticks can't be written: Not a directory$"):
        backup(filled, folder)

    assert folder.read_text() == "in the way"


def test_an_unreadable_copy_leaves_the_backup_unchanged_and_no_remains(filled: Database, folder: Path):
    backup(filled, folder)
    (copied,) = (folder / "ticks").glob("2026-11-02-*")
    copied.write_bytes(b"no Parquet")
    before = contents(folder)
    with filled.write() as cursor:
        append_day(cursor, 1, 7)

    with pytest.raises(StoreError, match=r"^the backup failed: .*2026-11-02-"):
        backup(filled, folder)

    assert contents(folder) == before


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_any_damage_of_a_backup_is_found_and_not_restored(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    days = {file.day: file.path for file in manifest_in(folder).tables["ticks"]}
    spoil(folder / days["2026-11-01"])
    (folder / days["2026-11-02"]).unlink()
    manifest = folder / "manifest.json"
    found = json.loads(manifest.read_text())
    found["tables"]["ticks"][3]["rows"] += 1
    manifest.write_text(json.dumps(found))

    times = "from 2026-11-03T12:00:01+00:00 to 2026-11-03T12:00:03+00:00"
    assert faults(folder) == [
        f"{days['2026-11-01']} is not what was backed up: its SHA-256 differs",
        f"{days['2026-11-02']} is missing",
        f"{days['2026-11-03']} has 6 rows {times}, the manifest says 7 {times}",
    ]
    with pytest.raises(StoreError, match=r"is damaged, nothing was restored: .* its SHA-256 differs"):
        restore(folder, Database(tmp_path / "new.duckdb"))
    assert not list(tmp_path.glob("new.duckdb*"))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"schema": 1}',
        '{"schema": "x", "version": "", "made_at": ""}',
        '{"format": 1, "schema": 0, "version": "", "made_at": "2026-11-01T00:00:00+00:00", "tables": {"ticks": []}}',
        '{"format": 1, "schema": 1, "version": "", "made_at": "2026-11-01T00:00:00", "tables": {"ticks": []}}',
        '{"format": 1, "schema": 1, "version": "", "made_at": "2026-11-01T00:00:00+00:00", "tables": {"runs": []}}',
        '{"format": true, "schema": 1, "version": "", "made_at": "2026-11-01T00:00:00+00:00", "tables": {}}',
    ],
)
def test_an_invalid_manifest_is_one_line(filled: Database, folder: Path, content: str):
    folder.mkdir()
    (folder / "manifest.json").write_text(content)

    for access in (lambda: read_manifest(folder), lambda: backup(filled, folder)):
        with pytest.raises(StoreError, match=rf"^{folder}/manifest\.json is no manifest of a backup: [^\n]+$"):
            access()


@pytest.mark.parametrize(
    ("put", "says"),
    [
        (Path.mkdir, "it is no file"),
        (os.mkfifo, "it is no file"),
        (lambda path: path.symlink_to("/proc/self/mem"), "Input/output error"),
    ],
)
def test_a_manifest_that_can_not_be_read_is_one_line(folder: Path, put: Callable[[Path], None], says: str):
    folder.mkdir()
    put(folder / "manifest.json")

    with pytest.raises(StoreError, match=rf"manifest\.json can't be read: {says}$"):
        read_manifest(folder)


def test_a_backup_of_a_newer_version_is_refused(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"schema": 99}))

    for access in (lambda: restore(folder, Database(tmp_path / "new.duckdb")), lambda: backup(filled, folder)):
        with pytest.raises(NewerSchemaError, match=r"the backup has schema 99, .*: update Tickwell$"):
            access()


def test_a_backup_of_another_format_is_refused(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 2, "more": {}}))

    for access in (lambda: restore(folder, Database(tmp_path / "new.duckdb")), lambda: backup(filled, folder)):
        with pytest.raises(
            NewerSchemaError, match=r"manifest\.json has format 2, this version reads 1: update Tickwell$"
        ):
            access()


def test_a_backup_of_an_older_version_is_migrated(database_file: Path):
    restored = Database(database_file)

    restore(OF_SCHEMA_2, restored)

    assert [tuple(row) for row in rows(restored.path)["ticks"]] == [
        ("btc_usd", datetime(2026, 11, 1), None, 101515.7, "live", 0)  # noqa: DTZ001 the column has no zone
    ]
    assert [number for number, *_ in sorted(rows(restored.path)["migrations"])] == list(
        map(schema.number, schema.STEPS)
    )


@pytest.mark.parametrize("suffix", ["", ".wal"])
def test_nothing_is_restored_over_an_existing_file(filled: Database, folder: Path, tmp_path: Path, suffix: str):
    backup(filled, folder)
    there = tmp_path / f"there.duckdb{suffix}"
    there.write_text("mine")

    with pytest.raises(
        StoreError, match=rf"^{there} exists already and was left as it is: name another file with --into$"
    ):
        restore(folder, Database(tmp_path / "there.duckdb"))

    assert there.read_text() == "mine"
    assert not list(tmp_path.glob("*.new"))


def test_a_restored_file_has_its_candles(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    restored = Database(tmp_path / "new.duckdb")

    restore(folder, restored)

    with restored.read() as cursor:
        expect_candles_of_ticks(cursor)
        ((folded,),) = cursor.execute("SELECT sum(tick_count) FROM candles_1m").fetchall()
    assert folded == 13  # the other 6 ticks are in the open minute of the newest tick


def test_a_restored_file_has_the_reach_of_its_averages(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    restored = Database(tmp_path / "new.duckdb")
    restore(folder, restored)

    with restored.write() as cursor:
        ticks.append(cursor, [tick(-9 * DAY + 100)])

    with restored.read() as cursor:
        assert cursor.execute("SELECT price FROM overruled").fetchall() == [(50.123456,)]


def test_a_folder_may_have_a_pattern_as_its_name(filled: Database, tmp_path: Path):
    folder = tmp_path / "a[1]*?"
    backup(filled, folder)
    backup(filled, tmp_path / "a1bc")
    with filled.write() as cursor:
        append_day(cursor, 1, 9)

    assert backup(filled, folder).written == 1
    assert faults(folder) == []
    restore(folder, Database(tmp_path / "new.duckdb"))


def test_nothing_is_restored_while_a_recorder_is_at_work(filled: Database, folder: Path):
    backup(filled, folder)
    with start("record", filled.path) as recorder:
        assert line(recorder) == "recording"

        with pytest.raises(StoreError, match=rf"^{filled.path} exists already and was left as it is: "):
            restore(folder, filled)

        filled.path.rename(folder / "moved")
        Path(f"{filled.path}.wal").unlink(missing_ok=True)
        with pytest.raises(RecorderError, match=rf"is already being recorded by PID {recorder.process.pid} "):
            restore(folder, filled)


def test_no_recorder_seems_to_run_after_a_restore(filled: Database, folder: Path, tmp_path: Path):
    backup(filled, folder)
    restored = Database(tmp_path / "new.duckdb")

    restore(folder, restored)

    notice = read_notice(restored.path)
    assert notice is not None
    assert (notice.alive, notice.state) == (False, "stopped")


def test_a_missing_backup_is_reported(tmp_path: Path):
    with pytest.raises(StoreError, match=rf"^there is no backup in {tmp_path}$"):
        what_it_holds(tmp_path)
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(StoreError, match=rf"^{path} is no folder$"):
            restore(path, Database(tmp_path / "new.duckdb"))


# Verify a database


def test_each_fault_of_a_database_is_found(filled: Database):
    with filled.write() as cursor:
        cursor.execute("INSERT INTO ticks FROM ticks WHERE ts < '2026-11-02' AND resolution_s = 0")
        cursor.execute("INSERT INTO ticks VALUES (NULL, '2026-12-01', NULL, 1, 'live', 0)")
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2026-12-02', NULL, 'nan', 'live', 0)")
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', NULL, NULL, 1, 'live', 0)")
        cursor.execute("INSERT INTO gaps (feed, slots) VALUES ('btc_usd', 12)")

    assert list(faults_of_database(filled)) == [
        "ticks: 3 rows lack a name, a time, a source or a price above 0",
        "ticks: 6 rows of 2026-11-01 are duplicates",
        "gaps does not follow from gap_events, rows: 1; python -m poller rebuild makes it again",
    ]


def test_a_damaged_block_of_a_database_is_found(filled: Database):
    with filled.write() as cursor:
        cursor.execute(
            "INSERT INTO misses (slot, feed, cause, detail) SELECT ts, index_name, 'x', hash(i)::VARCHAR"
            " FROM ticks, range(20000) AS r(i)"
        )
    checkpoint(filled)
    size = filled.path.stat().st_size
    assert size > 2_000_000
    with filled.path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(1000))

    (fault,) = faults_of_database(Database(filled.path))

    assert fault.startswith("misses can't be read: ticks.duckdb: ")
    assert "Corrupt database file" in fault


def test_a_database_without_ticks_has_no_fault(database: Database):
    assert list(faults_of_database(database)) == []


def test_threads_may_back_up_and_write_at_once(filled: Database, folder: Path):
    """A recorder's process does so."""
    done = threading.Event()

    def write() -> None:
        for second in range(100, 200):
            with filled.write() as cursor:
                append_day(cursor, 2, second)
        done.set()

    thread = threading.Thread(target=write)
    with filled.hold():
        thread.start()
        while not done.is_set():
            backup(filled, folder)
        thread.join()
        last = backup(filled, folder)

    assert last.rows["ticks"] == 19 + 200
    assert faults(folder) == []
