"""What an import knows of a file before it stores a row."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from store import words


@dataclass(frozen=True, slots=True)
class Instrument:
    """The rows of one index.

    Attributes:
        index_name: as the exchange spells it.
        rows: how many can be ticks.
        first, last: the times of the first and the last one.
        first_price, last_price: their prices.
        lowest, highest: the lowest and the highest price of all.
    """

    index_name: str
    rows: int
    first: datetime
    last: datetime
    first_price: float
    last_price: float
    lowest: float
    highest: float

    def with_rows(self, its: "Instrument") -> "Instrument":
        """Add the rows that another part of the file has of the same index."""
        start = min(self, its, key=lambda each: each.first)
        end = its if its.last > self.last else self
        return Instrument(
            self.index_name,
            self.rows + its.rows,
            start.first,
            end.last,
            start.first_price,
            end.last_price,
            min(self.lowest, its.lowest),
            max(self.highest, its.highest),
        )

    def __str__(self) -> str:
        return (
            f"{self.index_name}: rows {self.rows:,}, {_at(self.first)} to {_at(self.last)} UTC, "
            f"first price {words.price(self.first_price)}, last {words.price(self.last_price)}"
        )


@dataclass(frozen=True, slots=True)
class Look:
    """What was found out about a file.

    Attributes:
        path: of the file.
        form: its kind, packing, encoding and separator.
        columns: which column has what, a line each.
        candles: how long its candles last and what becomes of them; None if it has none.
        instruments: its indexes, by name.
        bad: how many of its rows can't be ticks.
        examples: the first bad rows, in words.
        joins: how its prices join what is stored, and their jumps by a power of ten, a line each.
    """

    path: Path
    form: str
    columns: tuple[str, ...]
    candles: str | None
    instruments: tuple[Instrument, ...]
    bad: int
    examples: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()

    def __str__(self) -> str:
        bad = [f"bad rows: {self.bad:,}, for example", *(f"  {each}" for each in self.examples)] if self.bad else []
        lines = [*self.columns, self.candles, *map(str, self.instruments), *self.joins, *bad]
        return "\n".join([f"{self.path}: {self.form}", *(f"  {line}" for line in lines if line)])


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
