"""What a market costs: its file, the questions of pages beside bare ones, storing a chain, and packing a day."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb

from poller.simulator.server import Simulator
from store.file.database import Cursor, Database
from store.instants import DAY
from store.market import chains, packing
from store.market.instruments import Option
from store.market.reads.as_of import chain_at, contract, surfaces
from store.models import to_column, utc_now
from tests.bench.long_market import CURRENCIES, DAYS, FIRST, bare_market, market_history
from tests.bench.recording import memory_until
from tests.bench.row import SECONDS, SMALL, Row, medians_ms
from tests.conftest import Program, wait_until
from tests.support.market import chain

ROUNDS = 9 if SMALL else 25
END = FIRST + DAYS * DAY
MIDDLE = FIRST + (DAYS - 1) * DAY / 2
"""Its day is packed."""

_UNTIL_RECORDED_S = 90

_NUMBERS = "mark_price, mark_iv, underlying_price, bid_price, ask_price, last, open_interest, volume, volume_usd"

_BARE = {
    "one chain": f"""
SELECT expiry, strike, option_type, {_NUMBERS}
FROM chains
WHERE underlying = $underlying
  AND ts = $ts
""",
    "one smile": f"""
SELECT expiry, strike, option_type, {_NUMBERS}
FROM chains
WHERE underlying = $underlying
  AND ts = $ts
  AND expiry = $expiry
""",
    "one contract": f"""
SELECT ts, {_NUMBERS}
FROM contracts
WHERE underlying = $underlying
  AND expiry = $expiry
  AND strike = $strike
  AND option_type = $option_type
""",
    "surfaces": "FROM surfaces WHERE underlying = $underlying",
}

_BUDGET = 2
"""Of each question, whose bare table has its rows in the best order for just that question."""


def markets(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """All rows of the market."""
    database = market_history()
    yield from questions(database)
    yield from storing(folder, database)
    if not SMALL:
        yield from recorder_of_markets(folder, simulator)


def questions(database: Database) -> Iterator[Row]:
    """The file, and what its questions cost beside the same rows from a table for just that question."""
    option = some_option(database)
    ours: dict[str, Callable[[Cursor], Any]] = {
        "one chain": lambda cursor: chain_at(cursor, "BTC", MIDDLE),
        "one smile": lambda cursor: chain_at(cursor, "BTC", MIDDLE, option.expiry),
        "one contract": lambda cursor: contract(cursor, option, FIRST, END),
        "surfaces": lambda cursor: surfaces(cursor, "BTC", FIRST, END),
    }
    its = {"expiry": to_column(option.expiry), "strike": option.strike, "option_type": option.option_type}
    values: dict[str, dict[str, Any]] = {
        "one chain": {"ts": to_column(MIDDLE)},
        "one smile": {"ts": to_column(MIDDLE), "expiry": its["expiry"]},
        "one contract": its,
        "surfaces": {},
    }
    with database.read() as cursor:
        ((rows,),) = cursor.execute("SELECT count(*) FROM options").fetchall()
    size = database.path.stat().st_size
    note = f"{rows:,} rows of options in {DAYS} days, {size / rows:.1f} bytes a row with all that is derived"
    yield Row("file of a market", size / 1e6, None, "MB", note)
    path = bare_market(database.path)
    with database.hold(), duckdb.connect(path, read_only=True, config={"threads": 1}) as bare:
        for name, ask in ours.items():
            yield beside(name, database, ask, bare, {"underlying": "BTC", **values[name]})


def beside(
    name: str, database: Database, ask: Callable[[Cursor], Any], bare: duckdb.DuckDBPyConnection, values: dict[str, Any]
) -> Row:
    """One question, and the same rows by a bare SELECT."""
    statement = _BARE[name]

    def asked(_: int) -> Any:
        with database.read() as cursor:
            return ask(cursor)

    def asked_barely(_: int) -> list[Any]:
        return bare.execute(statement, values).fetchall()

    found = asked(0)
    count = len(found.rows if hasattr(found, "rows") else found)
    assert count == len(asked_barely(0)) > 0, f"{name} has other rows than the bare one"
    ours_ms, bare_ms = medians_ms(asked, asked_barely, rounds=ROUNDS)
    note = f"{ours_ms:.1f} ms, bare {bare_ms:.1f} ms, {count:,} rows of {DAYS} days"
    return Row(f"{name} to a bare one", ours_ms / bare_ms, None if SMALL else _BUDGET, "×", note)


def some_option(database: Database) -> Option:
    """A put at the money of the last expiry."""
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", FIRST)
    assert found is not None
    last = [row for row in found.rows if row.expiry == found.rows[-1].expiry]
    row = min(last, key=lambda each: abs(each.strike - (each.underlying_price or 0)))
    return Option("BTC", row.expiry, row.strike, "put")


def storing(folder: Path, history: Database) -> Iterator[Row]:
    """The CPU of storing a chain, and what packing a day takes, in a copy of the history."""
    database = Database(shutil.copyfile(history.path, folder / "market.duckdb"), threads=1)
    snapshots = iter([chain("BTC", END + number * timedelta(minutes=5)) for number in range(2 * ROUNDS)])

    def store(_: int) -> None:
        with database.write() as cursor:
            chains.append(cursor, [next(snapshots)])

    with database.hold():
        (cpu_ms,) = medians_ms(store, rounds=ROUNDS, clock=time.process_time)
        (took_ms,) = medians_ms(store, rounds=ROUNDS // 2)
        yield Row("one chain stored with what follows", cpu_ms, None, "ms of CPU", f"{took_ms:.0f} ms by the clock")
        for currency in CURRENCIES:
            began = time.perf_counter()
            with database.write() as cursor:
                found = packing.next_chains(cursor, END)
                assert found is not None
                packing.pack(cursor, found)
            took_s = time.perf_counter() - began
            yield Row(f"a day of {currency} packed", took_s, None, "s", f"{found.start:%H:%M} to {found.end:%H:%M}")


def recorder_of_markets(folder: Path, simulator: Simulator) -> Iterator[Row]:
    """The memory of a recorder of two indexes at 1 s and two markets."""
    path = folder / "recorded-market.duckdb"
    settings = {"poll_seconds": 1, "markets": "BTC,ETH", "options_seconds": 60}
    with Program("poller", database=path, deribit_url=simulator.url, **settings) as program:
        wait_until(lambda: path.exists() and has_chains(path), timeout_s=_UNTIL_RECORDED_S, look_again_s=1)
        memory = memory_until(program, utc_now() + timedelta(seconds=SECONDS + 1))
    yield Row("memory, recorder with BTC and ETH", memory, 150, "MB")


def has_chains(path: Path) -> bool:
    with Database(path).read() as cursor:
        ((count,),) = cursor.execute("SELECT count(DISTINCT underlying) FROM options").fetchall()
    return bool(count == len(CURRENCIES))
