"""Kinds of stored rows: what the code that reads or copies a feed's table must know about the table.

`KINDS` lists each kind. A new kind needs a record here and a migration that makes its table. Code that goes through
kinds names no table.
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
        name: the start of its feeds' names, such as "options" in "options/BTC"; empty for indexes.
        table: the table that has the rows.
        columns: the columns of the table, in their order; one of them is `ts`.
        key: the columns whose values, together with `ts`, occur once. The first column names the feed of a row: it has
            the end of the feed's name, such as "BTC".
        sound: the SQL condition that each sound row meets.
        lacking: what an unsound row lacks, in words.
        heals: whether the exchange has the past of the feeds, so that gaps can be filled.
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
        """The names of the columns, in their order."""
        return [column.name for column in self.columns]

    @property
    def brought(self) -> tuple[Column, ...]:
        """The columns of which each row of a snapshot has its own value: all but those of its feed and its time."""
        return tuple(column for column in self.columns if column.name not in {self.key[0], "ts"})

    @property
    def has_source(self) -> bool:
        """Does each row have its source? Otherwise its snapshot has it."""
        return "source" in self.column_names

    def feed(self, end: str) -> str:
        """The name of the feed of this kind with this end."""
        return f"{self.name}/{end}" if self.name else end

    def end(self, feed: str) -> str:
        """The end of a feed's name, as the rows have it."""
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
"""All kinds."""


def kinds_of(tables: Container[str]) -> list[Kind]:
    """The kinds that have one of these tables."""
    return [kind for kind in KINDS if kind.table in tables]


def kind_of(feed: str) -> Kind | None:
    """The kind of a feed; None if no kind has such feeds."""
    name, slash, _ = feed.partition("/")
    return next((kind for kind in KINDS if kind.name == (name if slash else "")), None)


def heals(feed: str) -> bool:
    """Does the exchange have the past of a feed?"""
    kind = kind_of(feed)
    return kind is not None and kind.heals
