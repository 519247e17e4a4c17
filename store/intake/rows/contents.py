"""What is in a foreign file, as far as its reading depends on it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from store.intake.files.table import plain

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "time": ("ts", "timestamp", "time", "datetime", "unix", "gmt time", "date", "__index_level_0__"),
    "price": ("price", "index_price"),
    "index": ("index_name", "ticker", "index", "symbol"),
    "received_at": ("received_at", "local_timestamp"),
    "source": ("source",),
    "resolution_s": ("resolution_s",),
}
"""The names by which a column is found, in any case, unless the user names it; the first name that is there wins."""

_SHOWN = 3
_LONGEST_NAMES = 200


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a Parquet file, as far as its reading depends on it.

    Attributes:
        path: a pattern that matches only the file.
        called: the file, in words.
        types: DuckDB's type of each column, by name, in the file's order.
        texts: the first values of each column of texts.
        semicolons: did semicolons separate the fields?
        close: the column of the closes in a file of candles without a header row; None for any other file.
        ask: executes a statement and returns its rows.
    """

    path: str
    called: str
    types: Mapping[str, str]
    texts: Mapping[str, Sequence[str]]
    semicolons: bool
    close: str | None
    ask: Callable[[str, dict[str, Any]], list[tuple[Any, ...]]]

    @property
    def places(self) -> dict[str, str]:
        """How a statement calls each column."""
        return {name: f"c{place}" for place, name in enumerate(self.types)}

    @property
    def by_name(self) -> dict[str, str]:
        """The name of each column by the same name in lower case, without what surrounds it."""
        return {plain(name): name for name in reversed(list(self.types))}

    def of_columns(self, statement: str, **parts: str) -> list[tuple[Any, ...]]:
        """The rows of a statement that reads the file, and whose columns are called by their places."""
        return self.ask(statement.format(places=", ".join(self.places.values()), **parts), {"path": self.path})


def shown(text: str, most: int = 60) -> str:
    """A text from a file, printable and short."""
    clean = "".join(sign if sign.isprintable() else "?" for sign in text)
    return clean if len(clean) <= most else f"{clean[:most]}…"


def some(texts: Sequence[str]) -> str:
    """The first different texts, printable and short."""
    different = list(dict.fromkeys(texts))
    return ", ".join(map(shown, different[:_SHOWN])) + (", …" if len(different) > _SHOWN else "")


def all_names(contents: Contents) -> str:
    """The names of all columns, printable and not too long."""
    return shown(", ".join(contents.types), _LONGEST_NAMES)
