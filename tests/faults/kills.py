"""Processes that are killed in the middle of their work."""

import time
from datetime import timedelta

from store.backup.backup import backup
from store.backup.restore import restore
from store.file.aside import list_aside
from store.file.database import Database
from store.instants import HOUR
from store.models import to_column
from store.prices import candles, ticks
from tests.conftest import START, tick
from tests.faults.parts import kill_a_migration, recording, remove, sound, with_old_schema, with_outage
from tests.faults.stage import SECOND, Stage
from tests.store.processes import COPIES, line, start

_FOLDED = """
SELECT
    (SELECT coalesce(sum(tick_count), 0) FROM candles_1m),
    (SELECT coalesce(sum(tick_count), 0) FROM candles_1h)
"""


def kill_recorder(stage: Stage, times: int) -> None:
    """Kill it at random moments, half of them in the tenth of a second in which a slot is written."""
    for _ in range(times):
        with stage.injected_once():
            stage.start()
            stage.wait_for(stage.random.choice([1, 1, 2]))
            rest = stage.random.choice([stage.random.random(), (-time.time()) % 1 + stage.random.random() / 10])
            time.sleep(rest)  # until the moment of the kill
            stage.kill()
            stage.start()
        stage.kill()


def kill_while_healing(stage: Stage, times: int) -> None:
    with_outage(stage)
    for _ in range(times):
        stage.injected += 1
        began = time.monotonic()
        stage.start()
        stage.wait_for(1)
        stage.recovery_s.append(time.monotonic() - began)
        time.sleep(stage.random.random() * 3)  # until the moment of the kill
        stage.kill()
    with recording(stage):
        stage.wait_until_healed()


def kill_in_a_busy_loop(how: str, stage: Stage, times: int) -> None:
    """Kill a process that only appends and checkpoints, so that each kill interrupts one of the two."""
    database = Database(stage.file)
    database.migrate()
    acknowledged = -1
    for _ in range(times):
        began = time.monotonic()
        with start("append_until_killed", stage.file, how) as program:
            acknowledged = int(line(program))
            stage.recovery_s.append(time.monotonic() - began)
            time.sleep(stage.random.random() / 5)  # until the moment of the kill
            program.process.kill()
            said = program.finish()[1].split()
            acknowledged = int(said[-1]) if said else acknowledged
        stage.injected += 1
        with database.read() as cursor:
            whole = cursor.execute("SELECT ts, count(DISTINCT index_name), count(*) FROM ticks GROUP BY ts").fetchall()
        assert {each[1:] for each in whole} == {(COPIES, COPIES)}, "a transaction was cut in half"
        assert acknowledged + 1 <= len(whole) <= acknowledged + 2, "a second was lost or invented"
    stage.counted = (acknowledged + 1) * COPIES


def kill_while_migrating(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with_old_schema(stage.file)
        began = kill_a_migration(stage)
        stage.database.migrate()
        stage.recovery_s.append(time.monotonic() - began)
        with stage.database.read() as cursor:
            assert len(ticks.newest_first(cursor, "btc_usd", limit=1000)) == 500, "ticks of the old file are lost"
        assert list_aside(stage.file) == []
    stage.counted = 500 * times


def kill_while_creating(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        began = kill_a_migration(stage)
        stage.database.migrate()
        stage.recovery_s.append(time.monotonic() - began)
        with stage.database.write() as cursor:
            ticks.append(cursor, [tick()])
        names = {path.name for path in stage.folder.iterdir()}
        assert names <= {stage.file.name + suffix for suffix in ("", ".wal", ".gate", ".lease")}, names
    stage.counted = times


def kill_while_closing_candles(stage: Stage, times: int) -> None:
    """Kill a process that rebuilds candles: the stored candles match their ticks."""
    seconds = 200_000
    stage.database.migrate()
    with stage.database.write() as cursor:
        cursor.execute(
            "INSERT INTO ticks SELECT 'btc_usd', $start + to_seconds(i), NULL, i, 'live', 0 FROM range($n) AS r(i)",
            {"start": to_column(START), "n": seconds},
        )
    for _ in range(times):
        began = time.monotonic()
        with start("rebuild_candles", stage.file) as program:
            assert line(program) == "ready"
            time.sleep(stage.random.random() / 2)  # until the moment of the kill
            program.process.kill()
            program.finish()
        stage.injected += 1
        with stage.database.read() as cursor:
            mark = candles.closed_to(cursor)
            ((minutes, hours),) = cursor.execute(_FOLDED).fetchall()
        stage.recovery_s.append(time.monotonic() - began)
        closed = (mark or START) - START
        assert minutes == closed // SECOND, "candles of minutes differ from their ticks"
        assert hours == candles.floor(mark or START, HOUR).timestamp() - START.timestamp(), "those of hours do"
    candles.rebuild(stage.database, START + timedelta(seconds=seconds))
    stage.counted = seconds


def kill_backup(stage: Stage, times: int) -> None:
    """Kill a backup beside a recorder: the backup before it stays whole, and the next one succeeds."""
    folder = stage.folder.with_name(f"{stage.folder.name}.backup")
    with_outage(stage, ago=timedelta(days=40), lasting=timedelta(days=39))
    with recording(stage):
        backup(stage.database, folder)
        for _ in range(times):
            with stage.injected_once(), start("back_up", stage.file, folder) as program:
                assert line(program) == "ready"
                time.sleep(stage.random.random() / 5)  # until the moment of the kill
                program.process.kill()
                program.finish()
            sound(folder)
        backup(stage.database, folder)
    restored = Database(folder.with_name(f"{folder.name}.restored"))
    restore(folder, restored)
    with restored.read() as cursor:
        assert ticks.summary(cursor)["btc_usd"][0] > times


def kill_reader(stage: Stage, times: int) -> None:
    """Kill a reader that holds a lease: the recorder goes on at once and loses no slot."""
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), start("keep_reading", stage.file) as reader:
                assert line(reader) == "reading"
                time.sleep(stage.random.random())  # until the moment of the kill
                reader.process.kill()
