"""Faults of the market: kills while chains are stored or days packed, and odd replies about chains."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from poller.simulator.faults import Fault
from store.file.database import Database
from store.instants import DAY, EPOCH, HOUR, MINUTE
from store.ledger.logs import logs
from store.market import chains
from store.models import from_column, to_column
from tests.conftest import START, Program, wait_until
from tests.faults.parts import count_lost, remove, with_outage
from tests.faults.stage import INDEXES, SECOND, Stage
from tests.faults.witness import MARKET_S
from tests.store.market.processes import start
from tests.store.processes import line
from tests.support import market
from tests.support.walked import walk

FAILING = "options/BTC"
OTHERS = ("options/ETH", "futures/BTC")

# Each third process is killed at a random moment, the others at a step of their work.
_AT_RANDOM = 3

SETTLED = datetime(2026, 11, 20, 8, 0, 11, tzinfo=UTC)

_DAYS, _STEPS_OF_A_DAY = 6, 4

_SLOTS, _SLOTS_IN_SHORT = 4, 2


def kill_while_storing_chains(how: str, stage: Stage, times: int) -> None:
    """Kill a process that stores chains, at each step of a transaction and at random moments."""
    database = Database(stage.file)
    database.migrate()
    count = 0
    for number in range(times):
        began = time.monotonic()
        step = None if number % _AT_RANDOM == 2 else number
        with start("store_chains_until_killed", stage.file, how, "" if step is None else step) as program:
            first = int(line(program))
            stage.recovery_s.append(time.monotonic() - began)
            said = _killed(stage, program, step)
        last, before = int(said[-1]) if said else first, count
        count = _whole_chains(database)
        assert first == before, "a chain was lost or invented"
        assert last + 1 <= count <= last + 2, "a chain that was acknowledged is lost, or one is invented"
    _check_what_follows(database)
    stage.counted = count


def kill_while_packing(stage: Stage, times: int) -> None:
    """Kill a process that packs days, at steps of a transaction and at random moments: the rows stay the same rows."""
    database = Database(stage.file)
    _record_days(database)
    with database.read() as cursor:
        before = market.digest(cursor, "options")
    for number in range(times):
        began = time.monotonic()
        step = None if number % _AT_RANDOM == 2 else stage.random.randrange(_DAYS * _STEPS_OF_A_DAY)
        with start("pack_until_killed", stage.file, "" if step is None else step) as program:
            assert line(program) == "ready"
            said = _killed(stage, program, step)
        with database.read() as cursor:
            assert market.digest(cursor, "options") == before, "rows were lost, doubled or changed"
            ((left_from,),) = cursor.execute("SELECT min(ts) FROM options_by_snapshot").fetchall()
        stage.recovery_s.append(time.monotonic() - began)
        packed_to = max(map(datetime.fromisoformat, said), default=EPOCH)
        assert left_from is None or from_column(left_from) >= packed_to, "a packed day is not packed any more"
    stage.counted = before[0]


def one_chain(stage: Stage, times: int, *, book: str = "option", **fault: Any) -> None:
    """Every reply about the chain of one currency is faulty for a while."""
    for _ in range(times):
        with _market_recorded(stage):
            fault_of_one = Fault(currency="BTC", book=book, method="get_book_summary_by_currency", **fault)
            with _no_slot_lost(stage, INDEXES, OTHERS):
                stage.injected += 1
                stage.simulator.faults.add(fault_of_one)
                _more_snapshots(stage, OTHERS)
                stage.simulator.faults.clear()
                began = time.monotonic()
                _more_snapshots(stage, (FAILING,), 1)
                stage.recovery_s.append(time.monotonic() - began)


def odd_rows(stage: Stage, times: int, **fault: Any) -> None:
    """Some rows of a chain are odd for a while: each slot is recorded, without these rows."""
    for _ in range(times):
        with _market_recorded(stage):
            with _no_slot_lost(stage, INDEXES, (FAILING, *OTHERS)):
                stage.injected += 1
                stage.simulator.faults.add(Fault(currency="BTC", book="option", rows=7, **fault))
                affected = stage.now() + MARKET_S * SECOND  # what is received later was asked for under the fault
                _more_snapshots(stage, (FAILING, *OTHERS), since=affected)
                stage.simulator.faults.clear()
            _check_rejected(stage, affected, 0 if fault["kind"] == "missing_rows" else 7)


def short_pages(stage: Stage, times: int) -> None:
    """Pages of DVOL have few candles: no slot is lost, and the log becomes complete."""
    for _ in range(times):
        stage.simulator.faults.add(Fault("short_pages", rows=10))
        with _market_recorded(stage), _no_slot_lost(stage, INDEXES, (FAILING, *OTHERS)):
            stage.injected += 1
            began = time.monotonic()
            wait_until(lambda: _log_is_complete(stage), timeout_s=60, look_again_s=0.5)
            stage.recovery_s.append(time.monotonic() - began)
        stage.simulator.faults.clear()


def settlement(stage: Stage, times: int) -> None:
    """The exchange settles options: their summaries are refused for 10 s, and the indexes go on."""
    for _ in range(times):
        stage.simulator.faults.add(Fault("settlement", book="option"))
        stage.start()
        with _no_slot_lost(stage, INDEXES, ()):
            stage.injected += 1
            wait_until(lambda: stage.now() > SETTLED, timeout_s=60)
            began = time.monotonic()
            _more_snapshots(stage, (FAILING, *OTHERS), 1)
            stage.recovery_s.append(time.monotonic() - began)
        stage.stop()
        stage.simulator.faults.clear()


def kill_market(stage: Stage, times: int) -> None:
    """Kill a recorder of a market at random moments, half of them while it stores chains."""
    remove(stage)
    with_outage(stage)
    for _ in range(times):
        stage.injected += 1
        began = time.monotonic()
        stage.start()
        _more_snapshots(stage, (FAILING,), 1)
        stage.recovery_s.append(time.monotonic() - began)
        time.sleep(stage.random.choice([stage.random.random() * 4, stage.random.random() / 4]))  # until the kill
        stage.kill()


@contextmanager
def _market_recorded(stage: Stage) -> Iterator[None]:
    """A recorder of a market, on a new file that needs no history of the indexes; it is stopped at the end."""
    remove(stage)
    with_outage(stage)
    stage.start()
    _more_snapshots(stage, (FAILING, *OTHERS), 1)
    yield
    stage.stop()


@contextmanager
def _no_slot_lost(stage: Stage, indexes: Sequence[str], feeds: Sequence[str]) -> Iterator[None]:
    """Count the slots of these indexes and of these feeds of a market that are lost during the block."""
    stage.wait_for(1)
    began = int(stage.now().timestamp()) + 1
    yield
    stage.wait_for(2)
    until = int(stage.now().timestamp()) - 2
    count_lost(stage, indexes, began, until)
    due = range(-(-began // MARKET_S), until // MARKET_S)
    for feed in feeds:
        stage.others_lost = (stage.others_lost or 0) + len(
            {*due} - {int(at) // MARKET_S for at in stage.snapshots(feed)}
        )


def _more_snapshots(
    stage: Stage, feeds: tuple[str, ...], count: int | None = None, *, since: datetime | None = None
) -> None:
    """Wait until each feed has this many durable snapshots that were received since an instant, by default now."""
    first = (since or stage.now()).timestamp()
    wanted = count or (_SLOTS if stage.long else _SLOTS_IN_SHORT)
    wait_until(lambda: all(sum(at > first for at in stage.snapshots(feed)) >= wanted for feed in feeds), timeout_s=60)


def _log_is_complete(stage: Stage) -> bool:
    with stage.database.read() as cursor:
        log = logs(cursor).get("dvol/BTC-1h")
    return log is not None and log.complete_to > stage.now() - 2 * HOUR


def _check_rejected(stage: Stage, since: datetime, rows: int) -> None:
    with stage.database.read() as cursor:
        statement = "SELECT DISTINCT rejected FROM snapshots WHERE feed = ? AND received_at > ?"
        found = cursor.execute(statement, [FAILING, to_column(since)]).fetchall()
    assert (rows,) in found, f"of 7 odd rows {found} were counted"


def _killed(stage: Stage, program: Program, step: int | None) -> list[str]:
    """Kill a process at a random moment, or wait until it kills itself; return what it said since."""
    stage.injected += 1
    if step is None:
        time.sleep(stage.random.random() / 2)  # until the moment of the kill
        program.process.kill()
    code, said, complaint = program.finish()
    assert code == -9, complaint
    return said.split()


def _whole_chains(database: Database) -> int:
    """The number of chains; the last ones are as they were published, with what follows from them."""
    with database.read() as cursor:
        ((count, rows),) = cursor.execute("SELECT count(*), sum(rows)::BIGINT FROM snapshots").fetchall()
        since = START + max(0, count - 3) * MINUTE
        assert market.cut_in_half(cursor, since) == [], "a snapshot was cut in half"
        assert market.untrue(cursor, since, whole=True) == [], "a row was lost or invented"
        assert market.digest(cursor, "options")[0] == rows, "rows of a snapshot were lost or invented"
        assert market.doubles(cursor) == 0, "rows are there twice"
    return int(count)


def _check_what_follows(database: Database) -> None:
    """A rebuild makes the same smiles and surfaces of all stored rows."""

    def derived() -> list[tuple[int, int]]:
        with database.read() as cursor:
            return [market.digest(cursor, table) for table in ("smiles", "surfaces")]

    before = derived()
    chains.rebuild(database)
    assert derived() == before, "smiles or surfaces are not those of their rows"


def _record_days(database: Database) -> None:
    """Some days of chains, one an hour."""
    database.migrate()
    first = START.replace(hour=0)
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", first)])
        walk(cursor, "BTC", first, first + HOUR, HOUR, _DAYS * (DAY // HOUR) - 1)
