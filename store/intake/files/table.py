"""The table in a text: what separates its fields, which line has the names, and what stands above."""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from store.errors import FileError

from . import times
from .numbers import is_number
from .text import LINE_END

_SEPARATORS: Mapping[str, str] = {"\t": "tabs", ";": "semicolons", "|": "bars", ",": "commas"}
"""The first of equals wins: a comma may be a decimal one."""

_LOOKED_AT = 500

# In seconds since 1970.
_DIGITS_OF_TIME = 10


@dataclass(frozen=True, slots=True)
class Table:
    """How the lines of a text are a table.

    Attributes:
        separator: between two fields.
        names: of the columns, each one different in any case; column0, column1, … if the file has none.
        skip: how many lines stand above the rows, that with the names included.
        named: does the file name its columns?
        rows: the first rows.
    """

    separator: str
    names: tuple[str, ...]
    skip: int
    named: bool
    rows: tuple[tuple[str, ...], ...]

    def __str__(self) -> str:
        names = f"names in line {self.skip}" if self.named else "no names"
        return f"separated by {_SEPARATORS[self.separator]}, {names}"


def table_of(head: str, known: Sequence[str], called: str) -> Table:
    """The table that the first lines of a text have.

    Args:
        head: the first lines; the last one may be cut.
        called: the file, in words.
        known: names of a time's column, in lower case. Of two lines with texts alone, the one with such a name counts.

    Raises:
        FileError: it has one column alone, or rows above the names.
    """
    lines = LINE_END.split(head)
    lines = lines[: min(_LOOKED_AT, max(1, len(lines) - 1))]
    separator, width = _separator(lines)
    if width < 2:
        raise FileError(f"{called} has one column alone: commas, semicolons, tabs or bars must separate its fields")
    rows = [_fields(line, separator) for line in lines]
    first = next((place for place, row in enumerate(rows) if len(row) >= width and _has_values(row)), len(rows))
    header = _header(rows[:first], width, known)
    if header is None:
        names, skip = [f"column{place}" for place in range(width)], min(first, len(rows) - 1)
    else:
        names, skip = rows[header], header + 1
    for number, line in enumerate(lines[: skip - (header is not None)]):
        if any(_is_row(_fields(line, each)) for each in _SEPARATORS):
            raise FileError(
                f"{called} has a row in line {number + 1}, above the other rows: are these two files in one?"
            )
    names = ["row", *names] if len(names) == width - 1 else names
    below = tuple(tuple(row) for row in rows[skip:] if len(row) >= width)
    return Table(separator, tuple(_told_apart(names)), skip, header is not None, below)


def plain(name: str) -> str:
    """A column's name in lower case, without what surrounds it: MetaTrader has <CLOSE>, our Excel files ts (UTC)."""
    return name.strip(" \t\ufeff\"'<>").lower().removesuffix("(utc)").rstrip()


def _separator(lines: Sequence[str]) -> tuple[str, int]:
    """What separates most lines into equally many fields, and how many these are."""
    best, most, width = ",", 0, 1
    for separator in _SEPARATORS:
        widths = Counter(len(_fields(line, separator)) for line in lines if line.strip())
        its_width, count = max(widths.items(), key=lambda each: (each[0] > 1, each[1]), default=(1, 0))
        if its_width > 1 and count > most:
            best, most, width = separator, count, its_width
    return best, width


def _fields(line: str, separator: str) -> list[str]:
    try:
        return [field.strip() for field in next(csv.reader([line], delimiter=separator, skipinitialspace=True), [])]
    except csv.Error:  # a field that is longer than any of a table
        return []


def _has_values(row: Sequence[str]) -> bool:
    return any(is_number(field) or times.is_time(field) for field in row)


def _is_row(fields: Sequence[str]) -> bool:
    """Does a line have a time and a number beside it?"""
    numbers = [field for field in fields if is_number(field)]
    clocks = [field for field in fields if times.is_time(field)]
    return bool((clocks and numbers) or (len(numbers) > 1 and any(len(field) >= _DIGITS_OF_TIME for field in numbers)))


def _header(above: Sequence[Sequence[str]], width: int, known: Sequence[str]) -> int | None:
    """The place of the line with the names among the lines above the first row of values."""
    # R's write.table gives the column of row names no name.
    fitting = [place for place, row in enumerate(above) if len(row) in (width, width - 1) and any(row)]
    if not fitting:
        return None
    return next(
        (place for place in reversed(fitting) if {plain(name) for name in above[place]} & {*known}), fitting[-1]
    )


def _told_apart(names: Sequence[str]) -> Iterator[str]:
    taken: set[str] = set()
    for place, name in enumerate(names):
        each = name.strip("\ufeff") or f"column{place}"
        while each.lower() in taken:
            each = f"{each}_{place}"
        taken.add(each.lower())
        yield each
