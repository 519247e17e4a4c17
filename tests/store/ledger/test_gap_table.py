"""The table of present gaps always follows from the noted events."""

from collections import Counter
from datetime import datetime
from functools import partial
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file import schema
from store.file.database import Cursor, Database
from store.ledger import gap_table, gaps
from store.ledger.gaps import advance
from store.ledger.heal import heal
from store.models import Gap
from tests.conftest import START
from tests.store.histories import at, averaged, missed, observed, ran
from tests.support.examples import examples

WHILE_A_VIEW = next(schema.number(step) for step in schema.STEPS if step.stem.endswith("gaps_present")) - 1
"""The last schema in which gaps was a view."""

NOTED = """
INSERT INTO gap_events
SELECT
    'btc_usd', TIMESTAMP '2026-11-01', round, event,
    TIMESTAMP '2026-11-01' + to_seconds(first), TIMESTAMP '2026-11-01' + to_seconds(last),
    (last - first) // 5, 5, 'unreachable', 'no route', source, resolution_s, TIMESTAMP '2026-11-02'
FROM (VALUES
    (0, 'found', 0, 1000, NULL, NULL),
    (1, 'healed', 0, 300, 'chart', 6), (1, 'found', 300, 600, NULL, NULL), (1, 'unfillable', 600, 1000, NULL, NULL),
    (2, 'healed', 300, 310, 'import', 0), (2, 'found', 310, 600, NULL, NULL),
    (2, 'healed', 600, 900, 'chart', 60), (2, 'unfillable', 900, 1000, NULL, NULL),
    (3, 'healed', 310, 600, 'chart', 60)
) AS noted(round, event, first, last, source, resolution_s)
"""


def _before(limit: datetime, start: datetime, _end: datetime) -> bool:
    return start < limit


def rows(cursor: Cursor) -> list[Any]:
    return cursor.execute("FROM gaps ORDER BY ALL").fetchall()


def present(cursor: Cursor) -> Counter[Any]:
    """The events of gaps that no later event of the same stretch replaces, from a comparison of each with each."""
    events = cursor.execute(
        "SELECT feed, gap, round, started_at, ended_at, event, slots, source, resolution_s FROM gap_events"
    ).fetchall()
    return Counter(
        event
        for event in events
        if not any(
            later[:2] == event[:2] and later[2] > event[2] and later[3] < event[4] and later[4] > event[3]
            for later in events
        )
    )


def told(cursor: Cursor) -> Counter[Any]:
    return Counter(
        cursor.execute(
            """
            SELECT
                feed, gap, round, started_at, ended_at,
                CASE state WHEN 'open' THEN 'found' ELSE state END, slots, source, resolution_s
            FROM gaps
            """
        ).fetchall()
    )


def test_a_file_of_an_older_version_keeps_exactly_its_gaps(database_file):
    with duckdb.connect(database_file) as connection:
        schema.migrate(connection, up_to=WHILE_A_VIEW)
        connection.execute(NOTED)
        before = rows(connection)

    database = Database(database_file)
    database.migrate()

    with database.read() as cursor:
        after, unlike = rows(cursor), gap_table.unlike(cursor)
    assert [(str(row[1].time()), row[7]) for row in before] == [
        ("00:00:00", "healed"),
        ("00:05:00", "healed"),
        ("00:05:10", "healed"),
        ("00:10:00", "healed"),
        ("00:15:00", "unfillable"),
    ]
    assert after == before
    assert unlike == 0


@examples(30)
@given(
    outages=st.lists(st.tuples(st.integers(1, 110), st.integers(1, 60)), min_size=1, max_size=4),
    rounds=st.lists(
        st.tuples(
            st.lists(st.integers(0, 120), max_size=20),
            st.lists(st.tuples(st.integers(0, 30), st.sampled_from([6, 60])), max_size=3),
            st.booleans(),
            st.sampled_from([2, 3, 5, 5000]),
        ),
        max_size=4,
    ),
)
def test_present_gaps_are_the_events_that_no_later_event_replaces(open_database: Database, outages, rounds):
    down = {second for first, count in outages for second in range(5 * first, 5 * (first + count), 5)}
    with open_database.write() as cursor:
        for table in ("ticks", "misses", "runs", "gap_events", "gaps", "watermark"):
            cursor.execute(f"DELETE FROM {table}")
        ran(cursor, 0, 1000)
        observed(cursor, set(range(0, 1000, 5)) - down)
        missed(cursor, sorted(down & set(range(0, 1000, 5))))
    advance(open_database, at(1000), at(1000), 1)

    for number, (came, averages, some_are_hopeless, most_pieces) in enumerate(rounds, start=1):
        hopeless = at(500) if some_are_hopeless else START
        go_on: datetime | None = START
        with open_database.write() as cursor:
            observed(cursor, [5 * slot for slot in came])
            for first, step_s in averages:
                averaged(cursor, first * step_s, (first + 1) * step_s, step_s)
            while go_on is not None:
                _, go_on = heal(
                    cursor,
                    "btc_usd",
                    at(1000 + number),
                    states=("open", "unfillable"),
                    hopeless=partial(_before, hopeless),
                    start=go_on,
                    most_pieces=most_pieces,
                )

    with open_database.write() as cursor:
        expected, found, unlike = present(cursor), told(cursor), gap_table.unlike(cursor)
        gap_table.rebuild(cursor)
        rebuilt = told(cursor)
    assert found == expected
    assert rebuilt == expected
    assert unlike == 0


def test_a_gap_and_the_pieces_that_replace_it_can_be_noted_by_one_transaction(database):
    found = [Gap("btc_usd", at(0), at(100), 20, 5, "unreachable", "", gap=at(0))]
    healed = [Gap("btc_usd", at(0), at(100), 20, 5, "unreachable", "", "healed", "chart", 6, at(0), 1)]

    with database.write() as cursor:
        gaps.note(cursor, found, at(200))
        gaps.note(cursor, healed, at(200))

    with database.read() as cursor:
        assert gaps.ledger(cursor, at(0), at(100), at(200)) == healed


def test_nothing_to_note_notes_nothing(database):
    with database.write() as cursor:
        gaps.note(cursor, [], START)

    with database.read() as cursor:
        assert rows(cursor) == []


@pytest.mark.parametrize(
    ("change", "count"),
    [
        ("DELETE FROM gaps", 5),
        ("DELETE FROM gaps WHERE state = 'unfillable'", 1),
        ("UPDATE gaps SET slots = 0 WHERE started_at = TIMESTAMP '2026-11-01'", 2),
        ("INSERT INTO gaps FROM gaps", 5),
    ],
)
def test_a_change_by_hand_is_found_and_rebuilt(database, change, count):
    with database.write() as cursor:
        cursor.execute(NOTED)
        gap_table.rebuild(cursor)
        before = rows(cursor)
        cursor.execute(change)

        unlike = gap_table.unlike(cursor)
        gap_table.rebuild(cursor)

        assert unlike == count
        assert rows(cursor) == before
