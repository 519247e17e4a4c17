"""After an undo, ticks, averages, candles and gaps are those of the same history without the import."""

import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as st

from store.errors import StoreError
from store.file.database import Database
from store.intake.import_log import Import, imports
from store.intake.imports import import_files
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.intake.undo import Undone, undo
from store.ledger import gaps
from store.ledger.heal import heal
from store.prices import averages, ticks
from store.prices.bars import bars
from tests.conftest import tick
from tests.store.histories import at, found, missed, observed, ran
from tests.store.processes import line, start
from tests.support.candles import expect_candles_of_ticks
from tests.support.examples import examples
from tests.support.foreign_files import Row, import_rows, nobody_listens, parquet, written

SLOT_S, END_S = 60, 3600

State = dict[str, Any]


def take_back(database: Database, import_id: int | None = None) -> Undone:
    return undo(database, import_id, nobody_listens)


def log_of(database: Database) -> list[Import]:
    with database.read() as cursor:
        return imports(cursor)


def rows_in(database: Database, *tables: str) -> set[Row]:
    with database.read() as cursor:
        return {
            (name, at(0) + (ts.replace(tzinfo=at(0).tzinfo) - at(0)), price, over_s)
            for table in tables
            for name, ts, price, over_s in cursor.execute(
                f"SELECT index_name, ts, price, resolution_s FROM {table}"
            ).fetchall()
        }


def note_all(database: Database) -> None:
    """Note all gaps. The one that goes on is longer than an hour by then, so it is noted whatever was imported."""
    gaps.advance(database, at(3 * END_S), at(3 * END_S), 5)


def state_of(database: Database) -> State:
    """All that must be as if an import never was, once each gap is noted and judged; candles are of their ticks."""
    note_all(database)
    with database.write() as cursor:
        expect_candles_of_ticks(cursor)
        for name in ("btc_usd", "eth_usd"):
            heal(cursor, name, at(END_S), states=("open", "unfillable", "healed"))
    ledger = [
        (gap.feed, gap.start, gap.end, gap.slots, gap.cause, gap.state, gap.healed_by)
        for gap in found(database, 3 * END_S)
    ]
    return {
        "ticks": rows_in(database, "ticks"),
        "overruled": rows_in(database, "overruled"),
        "ledger": ledger,
    }


names = st.sampled_from(["btc_usd", "eth_usd"])
# Few instants, many of them on the grids of averages, so that many rows collide.
seconds = st.one_of(st.integers(0, 60).map(lambda number: 60 * number), st.integers(0, END_S))
resolutions = st.sampled_from([0, 0, 0, 60, 100, 600])
files = st.lists(st.tuples(names, seconds, st.integers(1, 3), resolutions), min_size=1, max_size=25)
charts = st.tuples(names, st.sampled_from([6, 60, 600]), st.integers(0, 50), st.integers(1, 30))
events = st.one_of(
    st.tuples(st.just("import"), files),
    st.tuples(st.just("import"), files),
    st.tuples(st.just("charts"), charts),
    st.tuples(st.just("late"), st.lists(st.tuples(names, seconds), min_size=1, max_size=5)),
    st.tuples(st.just("noted"), st.just(None)),
)


def begin(database: Database, live: Sequence[int], hopeless_from: int) -> None:
    """A recorder's hour: ticks in some slots, and noted gaps, the later ones unfillable."""
    with database.write() as cursor:
        ran(cursor, 0, END_S, SLOT_S, "btc_usd", "eth_usd")
        every = range(0, END_S, SLOT_S)
        for name in ("btc_usd", "eth_usd"):
            observed(cursor, [SLOT_S * number for number in live], name)
            missed(cursor, sorted({*every} - {SLOT_S * number for number in live}), index_name=name)
        averages.append(cursor, "btc_usd", [(at(600 * number), 50.0) for number in range(-3, 6)], 600)
    gaps.advance(database, at(END_S // 2), at(END_S), 5)
    with database.write() as cursor:
        for name in ("btc_usd", "eth_usd"):
            heal(cursor, name, at(END_S), hopeless=lambda begins, _: begins >= at(hopeless_from))


def happen(database: Database, folder: Path, what: str, facts: Any) -> None:
    if what == "import":
        import_rows(database, folder, facts, Limits(rows=8))
    elif what == "charts":
        name, step_s, first, count = facts
        with database.write() as cursor:
            averages.append(cursor, name, [(at((first + number) * step_s), 40.0) for number in range(count)], step_s)
    elif what == "late":
        with database.write() as cursor:
            ticks.append(cursor, [tick(second, name, 7.0) for name, second in facts])
    else:
        note_all(database)


@examples(10, phases=(Phase.explicit, Phase.generate))
@given(
    live=st.lists(st.integers(0, 59), max_size=50),
    hopeless_from=st.sampled_from([0, 900, END_S]),
    history=st.lists(events, min_size=1, max_size=5),
    data=st.data(),
)
def test_imports_undone_in_any_order_leave_no_trace(made_before: Path, live, hopeless_from, history, data):
    with tempfile.TemporaryDirectory() as folder:
        database, again = (Database(Path(folder) / name / "ticks.duckdb") for name in ("one", "other"))
        for each in (database, again):
            each.migrate()
            begin(each, live, hopeless_from)
        done: list[tuple[str, Any, int | None]] = []
        # Charts come first: an average that an import keeps out is never stored. Healing asks for it later.
        for what, facts in sorted(history, key=lambda event: event[0] != "charts"):
            rows = (
                [(name, at(second), price, over_s) for name, second, price, over_s in facts] if what == "import" else []
            )
            before = rows_in(database, "ticks", "overruled")
            happen(database, Path(folder), what, rows or facts)
            brought = sorted(rows_in(database, "ticks", "overruled") - before)
            done.append((what, brought if what == "import" else facts, len(log_of(database)) if rows else None))
        ids = [import_id for *_, import_id in done if import_id]
        undone = data.draw(st.lists(st.sampled_from(ids), unique=True)) if ids else []

        for import_id in undone:
            take_back(database, import_id)

        for what, facts, import_id in done:
            if import_id not in undone and facts != []:
                happen(again, Path(folder), what, facts)
        assert state_of(database) == state_of(again)


def observations(*seconds: float, price: float = 9.0) -> list[Row]:
    return [("btc_usd", at(second), price, 0) for second in seconds]


def in_short(database: Database) -> list[tuple[float, float, str, str | None]]:
    return [
        ((gap.start - at(0)).total_seconds(), (gap.end - at(0)).total_seconds(), gap.state, gap.healed_by)
        for gap in found(database, 600)
    ]


def a_gap(database: Database, first_s: int, end_s: int, *, hopeless: bool = False) -> None:
    """A recorder's ten minutes with a noted gap, which is unfillable if nothing can heal it."""
    with database.write() as cursor:
        ran(cursor, 0, 600, 5)
        observed(cursor, [second for second in range(0, 600, 5) if not first_s <= second < end_s])
        missed(cursor, range(first_s, end_s, 5))
    gaps.advance(database, at(600), at(600), 5)
    with database.write() as cursor:
        heal(cursor, "btc_usd", at(600), hopeless=lambda _, __: hopeless)


@pytest.mark.parametrize("hopeless", [False, True])
def test_gaps_that_only_the_import_healed_are_as_before(database, tmp_path, *, hopeless):
    a_gap(database, 100, 200, hopeless=hopeless)
    before = in_short(database)
    import_rows(database, tmp_path, observations(*range(120, 180)))
    assert (120, 180, "healed", "import") in in_short(database)

    undone = take_back(database)

    assert in_short(database) == before == [(100, 200, "unfillable" if hopeless else "open", None)]
    assert undone.reopened == 1


def test_a_gap_that_the_imports_ticks_hid_is_found(database, tmp_path):
    with database.write() as cursor:
        ran(cursor, 0, 900, 5)
        observed(cursor, range(0, 100, 5))
        observed(cursor, range(300, 900, 5))
    import_rows(database, tmp_path, observations(*range(100, 300)))
    gaps.advance(database, at(900), at(900), 5)
    assert in_short(database) == []

    undone = take_back(database)

    assert in_short(database) == [(100, 300, "open", None)]
    assert undone.reopened == 1


def test_gaps_that_others_heal_too_stay_healed(database, tmp_path):
    a_gap(database, 100, 200)
    import_rows(database, tmp_path, observations(*range(120, 150)))
    import_rows(database, tmp_path, observations(*(second + 0.5 for second in range(120, 180))))

    take_back(database, 1)

    assert in_short(database) == [(100, 120, "open", None), (120, 180, "healed", "import"), (180, 200, "open", None)]


def test_the_newest_import_that_is_not_undone_or_the_named_one_is_undone(database, tmp_path):
    for second in (1, 2, 3):
        import_rows(database, tmp_path, observations(second))

    assert [take_back(database).id, take_back(database, 1).id, take_back(database).id] == [3, 1, 2]
    assert rows_in(database, "ticks") == set()
    assert all(each.finished_at and each.undone_at for each in log_of(database))


def test_an_undo_that_cannot_be_is_refused_in_one_line(database, tmp_path):
    with pytest.raises(StoreError, match=r"^there is no import to undo$"):
        take_back(database)
    import_rows(database, tmp_path, observations(1))
    with pytest.raises(StoreError, match=r"^there is no import 7$"):
        take_back(database, 7)
    take_back(database)

    with pytest.raises(StoreError, match=r"^import 1 was undone already, \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$"):
        take_back(database, 1)


def test_a_repeated_import_is_an_import_of_its_own(database, tmp_path):
    import_rows(database, tmp_path, observations(1, 5))
    import_rows(database, tmp_path, observations(1, 3, 5, 7))

    assert take_back(database, 2).taken == 2

    assert rows_in(database, "ticks") == {*observations(1, 5)}
    assert [(each.stored, each.left_out) for each in log_of(database)] == [(2, 0), (2, 2)]


def test_an_import_within_the_span_of_another_is_kept_apart_from_it(database, tmp_path):
    import_rows(database, tmp_path, observations(0, 1000))
    import_rows(database, tmp_path, observations(300, 301))

    assert take_back(database, 1).taken == 2

    assert rows_in(database, "ticks") == {*observations(300, 301)}


def test_imported_prices_of_the_simulator_are_kept_apart_from_recorded_ones(database, tmp_path):
    path = written(
        tmp_path / "a.csv", "ts,price,index_name,source", *((at(s), 1, "btc_usd", "simulator") for s in (0, 9))
    )
    list(import_files(database, [path], Columns(), nobody_listens))
    with database.write() as cursor:
        ticks.append(cursor, [tick(5, source="simulator")])

    assert take_back(database).taken == 2

    assert rows_in(database, "ticks") == {("btc_usd", at(5), 100.0, 0)}


def test_an_import_of_a_whole_day_changes_its_candles_and_an_undo_restores_them(database, tmp_path):
    day_s = 86_400
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(at(day_s * number), 50.0) for number in range(-2, 1)], day_s)
    before = state_of(database)
    path = parquet(
        tmp_path / "a.parquet",
        "SELECT 'btc_usd' AS index_name, TIMESTAMP '2026-10-30 12:00:00' + to_seconds(i) AS ts, 60 + i % 7 AS price "
        "FROM range(0, 259_200, 10) AS rows(i)",
    )

    (imported,) = import_files(database, [path], Columns(), nobody_listens)

    assert (imported.stored, imported.left_out, imported.overruled) == (25_920, 0, 3)
    with database.read() as cursor:
        found = bars(cursor, "btc_usd", at(-2 * day_s), at(day_s), timedelta(days=1))
    assert not found["averaged"].any()
    assert (found["observed_count"] == found["tick_count"]).all()
    assert found["low"].min() == found["open"].min() >= 60

    undone = take_back(database)

    assert (undone.taken, undone.back) == (25_920, 3)
    assert state_of(database) == before


def test_an_undo_works_in_many_short_stretches(database, tmp_path):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(at(-3000), 50.0)], 6000)
    before = state_of(database)
    import_rows(database, tmp_path, observations(*range(-1000, 8000, 10), 1e6))
    told: list[int] = []

    undone = undo(database, None, lambda _, done, __: told.append(done), most_ticks=50)

    assert (undone.taken, undone.back) == (901, 1)
    assert told == sorted(told)
    assert len(told) > 3
    assert state_of(database) == before


@pytest.mark.parametrize("stretches", [1, 3])
def test_an_undo_that_was_killed_can_be_repeated(database, tmp_path, stretches):
    a_gap(database, 100, 200)
    before = state_of(database)
    import_rows(database, tmp_path, observations(*(second + 0.5 for second in range(100, 6000, 5))))
    import_rows(database, tmp_path, observations(*range(6000, 20_000, 5)))
    with start("undo_in_stretches", database.path, 2) as program:
        for _ in range(stretches):
            line(program)
        program.process.kill()
        program.finish()
    assert log_of(database)[1].undone_at is None

    left = take_back(database).taken

    assert 0 < left < 2800
    assert take_back(database).id == 1
    assert state_of(database) == before


def test_an_import_that_was_interrupted_can_be_undone(database, tmp_path):
    path = written(tmp_path / "a.csv", "ts,price,index_name", *((at(s), 1, "btc_usd") for s in range(50)))

    def interrupt(what: str, done: int, _: int) -> None:
        if what.startswith("importing") and done >= 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(import_files(database, [path], Columns(), interrupt, Limits(rows=10)))
    assert [each.finished_at for each in log_of(database)] == [None]

    assert take_back(database).taken == 20
    assert rows_in(database, "ticks") == set()


def test_an_average_that_stays_replaced_belongs_to_no_import_after_the_undo(database, tmp_path):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(at(0), 50.0)], 600)
    import_rows(database, tmp_path, observations(10))
    import_rows(database, tmp_path, observations(20))

    assert (take_back(database, 1).back, take_back(database, 2).back) == (0, 1)

    assert rows_in(database, "ticks") == {("btc_usd", at(0), 50.0, 600)}
