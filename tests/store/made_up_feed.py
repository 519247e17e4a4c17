"""A made-up snapshot feed, written as a module of the store: the moons of a planet and their phases."""

from collections.abc import Iterable, Sequence

from store.file.database import Cursor
from store.kinds import Column, Kind, declare
from store.ledger import arrivals
from store.models import Arrival, to_column

KIND = declare(
    Kind(
        name="moons",
        table="moons",
        columns=(
            Column("moon_name", "VARCHAR", "as astronomers spell it"),
            Column("ts", "TIMESTAMP", "UTC"),
            Column("phase", "DOUBLE", "0 to 1, the lit part of the disc"),
        ),
        name_column="moon_name",
        sound="phase BETWEEN 0 AND 1 AND length(moon_name) > 0 AND ts IS NOT NULL",
        lacking="a name, a time or a phase from 0 to 1",
        heals=False,
    )
)

TABLE = f"CREATE TABLE moons ({', '.join(f'{column.name} {column.type}' for column in KIND.columns)})"
"""The SQL that a migration would have."""


def append(cursor: Cursor, replies: Iterable[tuple[Arrival, Sequence[tuple[str, float]]]]) -> None:
    """Store replies: each snapshot, and the name and phase of each moon."""
    with_rows = (
        (arrival, [(name, to_column(arrival.ts), phase) for name, phase in moons]) for arrival, moons in replies
    )
    arrivals.append_rows(cursor, KIND, with_rows)
