"""What it costs to read a sparse ledger, beside an empty one."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from store.file.database import Database
from store.ledger import gaps
from store.ledger.coverage import Coverage, coverage
from store.ledger.gaps import advance
from store.ledger.heal import heal
from store.models import Gap
from tests.bench.row import SMALL, Row, medians_ms
from tests.store.histories import at, observed, ran

HOUR, DAY = 3600, 86_400
LEDGERS = 20 if SMALL else 100


def ledgers(folder: Path) -> Iterator[Row]:
    """What it costs to read the ledger of ten days that nothing was recorded in but a tick a minute for 12 hours."""
    empty, sparse = (Database(folder / f"{name}.duckdb", threads=1) for name in ("empty", "sparse"))
    gone_s, back_s = HOUR, HOUR + 10 * DAY
    for database, end_s in ((empty, gone_s), (sparse, back_s)):
        database.migrate()
        with database.write() as cursor:
            ran(cursor, 0, end_s)
            observed(cursor, range(0, gone_s, 5))
    with sparse.write() as cursor:
        gaps.note(cursor, [Gap("btc_usd", at(gone_s), at(back_s), 2 * DAY, 5, "unreachable", "")], at(back_s))
        observed(cursor, range(gone_s + DAY, gone_s + DAY + DAY // 2, 60))
        heal(cursor, "btc_usd", at(back_s))
    for database in (empty, sparse):
        advance(database, at(back_s), at(back_s), 1)

    def read(database: Database, start_s: float = 0) -> list[Gap]:
        with database.read() as cursor:
            return gaps.ledger(cursor, at(start_s), at(back_s), at(back_s))

    def count_in(database: Database) -> list[Coverage]:
        with database.read() as cursor:
            its = gaps.ledger(cursor, at(0), at(back_s), at(back_s))
            return coverage(cursor, its, at(0), at(back_s))

    count = len(read(sparse))
    again = (lambda _: read(empty), lambda _: read(sparse))
    covered = (lambda _: count_in(empty), lambda _: count_in(sparse))
    # Each round reads a minute less, so that no two read the same gaps.
    anew = (lambda number: read(empty), lambda number: read(sparse, gone_s + DAY + 60 * number))
    which = {"ledger": again, "ledger and its coverage": covered, "ledger that changed": anew}

    def rows(budgets: Mapping[str, float | None], how: str) -> Iterator[Row]:
        for name, budget in budgets.items():
            works = which[name]
            empty_ms, sparse_ms = medians_ms(*works, rounds=LEDGERS)
            note = f"{count:,} gaps {sparse_ms:.1f} ms, none {empty_ms:.1f} ms"
            yield Row(f"{name}, sparse to empty, {how}", sparse_ms / empty_ms, budget, "×", note)

    yield from rows({"ledger": 1.5, "ledger that changed": None}, "with a lease")
    with empty.hold(), sparse.hold():
        yield from rows({"ledger": 1.5, "ledger and its coverage": 1.5, "ledger that changed": None}, "held")
