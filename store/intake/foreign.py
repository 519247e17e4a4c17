"""The columns of a foreign file: which column has what, and how its rows are read as ticks.

A statement names the columns of a file by their place (c0, c1, ...), so that no name from the file gets into SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from store.errors import FileError

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "time": ("ts", "timestamp", "time", "datetime", "date"),
    "price": ("price", "index_price"),
    "index": ("index_name", "ticker", "index", "symbol"),
    "received_at": ("received_at",),
    "source": ("source",),
    "resolution_s": ("resolution_s",),
}
"""The names by which a column is found, in any case, unless the user names it; the first name that is there wins."""

# A number's size shows its unit: 10^11 as seconds is the year 5138, as milliseconds 1973.
_FROM_NUMBER = """make_timestamp(CAST(round(CASE
            WHEN abs({number}) < 1e11 THEN {number} * 1e6
            WHEN abs({number}) < 1e14 THEN {number} * 1e3
            WHEN abs({number}) < 1e17 THEN {number}
            WHEN abs({number}) < 1e20 THEN {number} / 1e3
        END) AS BIGINT))"""

# As TIMESTAMP, DuckDB 2.0 would drop a text's offset from UTC. A text without an offset is in the session's zone.
_FROM_TEXT = "make_timestamp(epoch_us(TRY_CAST({text} AS TIMESTAMPTZ)))"

_ROWS = """
    SELECT
        {index_name} AS index_name,
        {ts} AS ts,
        {price} AS price,
        {received_at} AS received_at,
        {source} AS source,
        {resolution_s} AS resolution_s,
        row
    FROM read_parquet($path, file_row_number = true) AS file({places}, row)
"""

_JUDGED = """
    SELECT
        *,
        CASE
            {names}
            WHEN ts IS NULL THEN 'time is missing or unreadable'
            WHEN ts < TIMESTAMP '2000-01-01' THEN 'time is before 2000'
            WHEN ts > $latest THEN 'time is in the future'
            WHEN price IS NULL OR NOT isfinite(price) THEN 'price is missing or not a number'
            WHEN price <= 0 THEN 'price is not above 0'
            {resolutions}
        END AS fault
    FROM ({rows})
"""
_NAMES = "WHEN index_name IS NULL OR NOT list_contains($names, index_name) THEN 'not an index name such as btc_usd'"
_RESOLUTIONS = "WHEN resolution_s IS NULL OR resolution_s < 0 THEN 'resolution_s is not a whole number of seconds'"

_UNJUDGED = "SELECT *, NULL AS fault FROM ({rows})"
_GOOD = "SELECT * EXCLUDE fault FROM ({judged}) WHERE fault IS NULL"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file that the user named. A column that is None is found by the names of `KNOWN_AS`.

    Attributes:
        time, price, index: the names of these columns.
        index_name: the index of all prices, in place of a column for it.
        resolution_s: the seconds that all prices are averages over, 0 for observations. Without it, and without a
            column for it, they are observations.
    """

    time: str | None = None
    price: str | None = None
    index: str | None = None
    index_name: str | None = None
    resolution_s: int | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """How to read the rows of a Parquet file: a statement and the values bound in it.

    It gives index_name, ts (TIMESTAMP, UTC), price, received_at, source, resolution_s and row, counted from 0.

    Attributes:
        rows, values: the statement and the values bound in it.
        by_text: are times text, which is slow to read?
        resolutions: does each row say what time it is an average over?
    """

    rows: str
    values: dict[str, Any]
    by_text: bool = False
    resolutions: bool = False

    def judged(self, latest: object, names: Sequence[str] | None) -> "Statement":
        """The same statement with `fault`: why a row can't be a tick, NULL where it can.

        Args:
            latest: no tick can be later than this.
            names: the valid index names; None if all are valid.
        """
        judged = _JUDGED.format(
            rows=self.rows,
            names="" if names is None else _NAMES,
            resolutions=_RESOLUTIONS if self.resolutions else "",
        )
        bound = {"latest": latest} | ({} if names is None else {"names": list(names)})
        return replace(self, rows=judged, values=self.values | bound)

    def unjudged(self) -> "Statement":
        """The same statement with `fault` NULL everywhere, because all rows are known to be good."""
        return replace(self, rows=_UNJUDGED.format(rows=self.rows))

    def good(self) -> "Statement":
        """The rows of a judged statement that can be ticks."""
        return replace(self, rows=_GOOD.format(judged=self.rows))


def reading(path: str, types: Mapping[str, str], columns: Columns, called: str) -> Statement:
    """The statement that reads a Parquet file.

    Args:
        path: of the file.
        types: DuckDB's type of each of its columns, by name, in the file's order.
        columns: the columns that the user named.
        called: the file, in words.

    Raises:
        FileError: a needed column is missing.
    """
    places = {name: f"c{place}" for place, name in enumerate(types)}
    time = _column(places, "time", columns.time, called)
    price = _column(places, "price", columns.price, called)
    values: dict[str, Any] = {"path": path}
    if columns.index_name is None:
        index = _column(places, "index", columns.index, called)
        index_name = f"CAST({places[index]} AS VARCHAR)"
    else:
        index_name, values["index_name"] = "$index_name", columns.index_name
    received, source, resolution = (_known(places, what) for what in ("received_at", "source", "resolution_s"))
    if columns.resolution_s is not None:
        resolution, values["resolution_s"] = None, columns.resolution_s
    rows = _ROWS.format(
        places=", ".join(places.values()),
        index_name=index_name,
        ts=_instant(places[time], types[time]),
        price=f"TRY_CAST({places[price]} AS DOUBLE)",
        received_at=_instant(places[received], types[received]) if received else "CAST(NULL AS TIMESTAMP)",
        source=f"CASE WHEN {places[source]} = 'simulator' THEN 'simulator' ELSE 'import' END" if source else "'import'",
        resolution_s=f"TRY_CAST({places[resolution]} AS INTEGER)" if resolution else _fixed(columns),
    )
    return Statement(
        rows,
        values,
        by_text="VARCHAR" in (types[time], types.get(received or "")),
        resolutions=resolution is not None,
    )


def _fixed(columns: Columns) -> str:
    return "0" if columns.resolution_s is None else "CAST($resolution_s AS INTEGER)"


def _column(places: Mapping[str, str], what: str, given: str | None, called: str) -> str:
    found = _known(places, what) if given is None else given if given in places else None
    if found is None:
        lacks = f"no column for the {what}" if given is None else f"no column {given!r}"
        option = {"time": "--time", "price": "--price", "index": "--index-column, or the index with --index"}[what]
        raise FileError(f"{called} has {lacks}; it has {', '.join(places)}: name one with {option}")
    return found


def _known(places: Mapping[str, str], what: str) -> str | None:
    by_lower_case = {name.lower(): name for name in reversed(list(places))}
    return next((by_lower_case[name] for name in KNOWN_AS[what] if name in by_lower_case), None)


def _instant(place: str, column_type: str) -> str:
    """An expression for the instant in a column, as a TIMESTAMP in UTC."""
    if column_type == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({place}))"
    if column_type.startswith("TIMESTAMP") or column_type == "DATE":
        return f"CAST({place} AS TIMESTAMP)"
    from_number = _FROM_NUMBER.format(number=f"TRY_CAST({place} AS DOUBLE)")
    if column_type != "VARCHAR":
        return from_number
    return f"CASE WHEN contains({place}, '-') THEN {_FROM_TEXT.format(text=place)} ELSE {from_number} END"
