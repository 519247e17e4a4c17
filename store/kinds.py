"""Kinds of stored rows: what feeds bring, and what all that reads or copies a table of theirs must know of it.

`KINDS` lists each kind. A new one takes a record here and a migration that makes its table: nothing that goes through
kinds knows a table by its name.
"""

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a kind's table: its name, its type in DuckDB, and the unit or the meaning of its values."""

    name: str
    type: str
    unit: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stored rows.

    Attributes:
        name: what the names of its feeds begin with, such as "options" of "options/BTC"; empty for indexes.
        table: that has the rows.
        columns: of the table, in their order; one of them is `ts`.
        key: the columns whose values occur once together with `ts`. The first says of which feed a row is: it has the
            end of the feed's name, such as "BTC".
        sound: the SQL condition that each sound row fulfils.
        lacking: in words what the others lack.
        heals: does the exchange have the past of its feeds, so that their gaps can be filled?
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sound: str
    lacking: str
    heals: bool

    @property
    def column_names(self) -> list[str]:
        """The names of its columns, in their order."""
        return [column.name for column in self.columns]

    @property
    def brought(self) -> tuple[Column, ...]:
        """The columns that a snapshot has values for in each row; all rows share its feed and its time."""
        return tuple(column for column in self.columns if column.name not in {self.key[0], "ts"})

    @property
    def has_source(self) -> bool:
        """Does each row say who says so? Else its snapshot does."""
        return "source" in self.column_names

    def feed(self, end: str) -> str:
        """The name of its feed that ends so."""
        return f"{self.name}/{end}" if self.name else end

    def end(self, feed: str) -> str:
        """What its rows have of the name of their feed."""
        return feed.removeprefix(f"{self.name}/")


TICKS = Kind(
    name="",
    table="ticks",
    columns=(
        Column("index_name", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("received_at", "TIMESTAMP", "UTC"),
        Column("price", "DOUBLE", "the second currency of the name"),
        Column("source", "VARCHAR", ""),
        Column("resolution_s", "INTEGER", "s"),
    ),
    key=("index_name",),
    sound=(
        "isfinite(price) AND price > 0 AND resolution_s >= 0 AND length(index_name) > 0 AND length(source) > 0 "
        "AND ts IS NOT NULL"
    ),
    lacking="a name, a time, a source or a price above 0",
    heals=True,
)

KINDS: tuple[Kind, ...] = (TICKS,)
"""Each kind that there is."""


def kinds_of(tables: Container[str]) -> list[Kind]:
    """The kinds that have one of these tables."""
    return [kind for kind in KINDS if kind.table in tables]


def kind_of(feed: str) -> Kind | None:
    """The kind of what a feed brings; None if no kind has such feeds."""
    name, slash, _ = feed.partition("/")
    return next((kind for kind in KINDS if kind.name == (name if slash else "")), None)


def heals(feed: str) -> bool:
    """Does the exchange have the past of a feed?"""
    kind = kind_of(feed)
    return kind is not None and kind.heals
