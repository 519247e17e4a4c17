"""Kinds of stored rows: what verify and others must know of a table that feeds fill.

The module that has the statements of a table declares its kind. What reads kinds knows no table by name, so that a new
kind needs no change there.
"""

from collections.abc import Iterable, Sequence
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
        name_column: says what a row is of; together with `ts` it occurs once.
        sound: the SQL condition that each sound row fulfils.
        lacking: in words what the others lack.
        heals: does the exchange have the past of its feeds, so that their gaps can be filled?
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    name_column: str
    sound: str
    lacking: str
    heals: bool

    @property
    def column_names(self) -> list[str]:
        """The names of its columns, in their order."""
        return [column.name for column in self.columns]


_declared: dict[str, Kind] = {}


def declare(kind: Kind) -> Kind:
    """Make a kind known. Call it where the statements of its table are."""
    return _declared.setdefault(kind.name, kind)


def declared(tables: Iterable[str]) -> Sequence[Kind]:
    """The known kinds that have one of these tables, in the order of their declaration."""
    there = set(tables)
    return [kind for kind in _declared.values() if kind.table in there]


def heals(feed: str) -> bool:
    """Does the exchange have the past of a feed? It has that of an index, whose name has no kind in it."""
    name, slash, _ = feed.partition("/")
    return not slash or (name in _declared and _declared[name].heals)
