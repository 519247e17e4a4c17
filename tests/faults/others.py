"""Effects of other programs, other exchanges and other clocks on a recorder."""

import csv
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from store.file import schema
from store.file.recorder import read_notice
from store.instants import EPOCH
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.ledger.gaps import ledger
from store.models import RECORDER_DOWN, Exchange, utc_now
from tests.conftest import Program, wait_until
from tests.faults.parts import count_lost, kept_by_others, no_slot_lost, recording, remove
from tests.faults.stage import INDEXES, Stage
from tests.faults.visits import Visit, open_pages
from tests.store.processes import line, start

_KEPT_S = 60
_KEPT_S_IN_SHORT = 8

# The number of rows: some portions of `import_in_portions`.
_IMPORTED_S = 40_000


def kept_beside_pages(stage: Stage, times: int) -> None:
    """A foreign program holds the file for a long time, while pages in the recorder's process wait for it."""
    with recording(stage), open_pages(stage.port, "", "history") as visits, no_slot_lost(stage, INDEXES):
        for _ in range(times):
            with stage.injected_once(), kept_by_others(stage):
                _waits(stage, _KEPT_S if stage.long else _KEPT_S_IN_SHORT)
            for visit in visits:
                wait_until(partial(_drawn_since, visit, visit.runs))


def stopped_meanwhile(stage: Stage, times: int) -> None:
    """The recorder is stopped while a foreign program has the file: the next recorder stores the waiting ticks."""
    stage.start()
    stage.wait_for(2)
    for _ in range(times):
        began = int(time.time())
        with stage.injected_once():
            with kept_by_others(stage):
                _waits(stage, 4)
                until = int(time.time())
                stage.stop()
            stage.start()
        stage.wait_for(2)
        count_lost(stage, INDEXES, began, until)
    stage.stop()


def another_exchange(stage: Stage, times: int) -> None:
    """The address leads to another exchange than the file's: none of its prices is stored."""
    with recording(stage):
        for _ in range(times):
            for other in set(Exchange) - {Exchange.REAL}:
                with stage.injected_once(), stage.stopped(), Simulator(limits=False, poses_as=other) as exchange:
                    for command in ((), ("once",), ("backfill",)):
                        before = _rows(stage)
                        _refused(stage, exchange, *command)
                        assert _rows(stage) == before, f"{' '.join(command) or 'run'} stored prices of {other}"


def clock_off(seconds: float, stage: Stage, times: int) -> None:
    """The machine's clock is wrong from the recorder's start on: no slot is lost or counted as a gap."""
    for _ in range(times):
        remove(stage)
        stage.set_clocks(recorder_s=seconds)
        with recording(stage), no_slot_lost(stage, INDEXES), stage.injected_once():
            stage.wait_for(6)
        now = utc_now() + timedelta(seconds=max(0.0, seconds))
        with stage.database.read() as cursor:
            gaps = [gap for gap in ledger(cursor, EPOCH, now, now) if gap.cause != RECORDER_DOWN]
        assert not gaps, f"{sum(gap.slots for gap in gaps)} slots with a tick count as {gaps[0].cause} too"
        stage.set_clocks(recorder_s=-seconds)


def kill_import(stage: Stage, times: int) -> None:
    """Kill an import beside a recorder; the same import then stores the rest."""
    file = stage.folder.with_name(f"{stage.folder.name}.csv")
    until = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)
    _write(file, until)
    with recording(stage):
        for _ in range(times):
            with stage.injected_once(), start("import_in_portions", stage.file, file) as program:
                line(program)
                time.sleep(stage.random.random() / 5)  # until the moment of the kill
                program.process.kill()
                program.finish()
        (imported,) = import_files(stage.database, [file], Columns(), lambda *_: None)
    stage.replace_averages(INDEXES[0], until - timedelta(seconds=_IMPORTED_S), until)
    with stage.database.read() as cursor:
        stored = cursor.execute(
            "SELECT count(*), count(DISTINCT ts) FROM ticks WHERE received_at IS NULL AND resolution_s = 0"
        ).fetchall()
    assert stored == [(_IMPORTED_S, _IMPORTED_S)], f"stored, and at different times: {stored}"
    assert imported.left_out > 0, "each import was killed before it had stored anything"


def _drawn_since(visit: Visit, runs: int) -> bool:
    return visit.runs > runs


def _write(file: Path, until: datetime) -> None:
    """A file with the simulator's prices of one index, one a second."""
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["index_name", "ts", "price", "source"])
        for second in range(_IMPORTED_S):
            at = until - timedelta(seconds=second)
            rows.writerow([INDEXES[0], at.isoformat(), price(INDEXES[0], at), "simulator"])


def _waits(stage: Stage, slots: int) -> None:
    """Do this many slots of all indexes wait for the file?"""

    def waiting() -> bool:
        notice = read_notice(stage.file)
        return notice is not None and notice.waiting >= slots * len(INDEXES)

    wait_until(waiting, timeout_s=slots + 30)


def _refused(stage: Stage, exchange: Simulator, *command: str) -> None:
    """Check that a command ends with one line that names both exchanges."""
    settings = {"database": stage.file, "deribit_url": exchange.url, "poll_seconds": 1, "log_level": "ERROR"}
    name = " ".join(command) or "run"
    with Program("poller", *command, **settings) as program:
        try:
            code, _, said = program.finish(timeout_s=15)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{name} goes on") from None
    assert code != 0, f"{name} was not refused"
    (refusal,) = [line for line in said.splitlines() if line.startswith("Error: ")]
    assert said.endswith(f"{refusal}\n"), said
    assert "Traceback" not in said, said
    assert Exchange.REAL in refusal, said


def _rows(stage: Stage) -> dict[str, int]:
    """The number of rows of each table."""
    with stage.database.read() as cursor:
        return {
            table: cursor.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0] for table in schema.tables(cursor)
        }
