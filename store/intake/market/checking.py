"""Makes an exported file ready: checks all its rows, and copies them in the order of time.

One row that can't be right refuses the whole file. The rows of a snapshot belong together, so none of them can be put
aside.
"""

import glob
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from store.errors import FileError
from store.export.selection import columns_of
from store.intake.rows.as_parquet import File
from store.intake.rows.contents import Contents, shown
from store.intake.rows.origin import origin_of
from store.intake.rows.work import Work
from store.kinds import FUTURES, Kind
from store.market.trades import RESOLUTION_S
from store.models import Exchange, from_column, to_column, utc_now

from .limits import NAMES, as_it_was, checks_of, sound_names
from .reading import rows_of

_CLOCKS_DIFFER = timedelta(seconds=60)

_NAMES = "SELECT DISTINCT {column} FROM ({rows}) WHERE {column} IS NOT NULL"

_FIRST_REFUSED = """
SELECT row, number
FROM (
    SELECT row, CASE {cases} END AS number
    FROM ({rows})
)
WHERE number IS NOT NULL
ORDER BY row
LIMIT 1
"""

_VALUE = "SELECT CAST({value} AS VARCHAR) FROM ({rows}) WHERE row = $row"

_COPY = """
COPY (
    SELECT {columns}
    FROM ({rows})
    {taken}
    ORDER BY {time}, {key}, row
)
TO $to (FORMAT parquet)
"""

# Each recorder asks the exchange for the candles of days itself.
_TAKEN = f"WHERE resolution_s IN (0, {RESOLUTION_S})"

_FOUND = """
SELECT
    {name},
    count(*),
    min({time}),
    max({time}),
    bool_or(source = 'simulator')
FROM read_parquet($path)
GROUP BY ALL
ORDER BY ALL
"""


@dataclass(frozen=True, slots=True)
class MarketFile:
    """A file whose rows of a market can be read in the order of time.

    Attributes:
        path: of the file that the user named.
        kind: of the rows.
        copy: a pattern that matches only the copy of the rows, sorted by time and key.
        feeds: the feeds that they are of, and the times of the first and the last row of each.
        rows: how many the copy has.
        days: how many rows of the file are candles of a day, which the copy does not have.
        origin: the exchanges that they may be of; none if the file does not tell.
        form: what the file was, in words.
        words: what was found in it, a line each.
    """

    path: Path
    kind: Kind
    copy: str
    feeds: Mapping[str, tuple[datetime, datetime]]
    rows: int
    days: int
    origin: frozenset[Exchange]
    form: str
    words: tuple[str, ...]


def checked(work: Work, file: File, contents: Contents, kind: Kind, count: int) -> MarketFile:
    """Check a file with `count` rows of a kind, and copy the rows.

    Raises:
        FileError: a line or a value of it can't be right.
    """
    if file.form.startswith("sheet"):
        raise FileError(f"{work.path} is an Excel file, and Excel cuts times to milliseconds: export Parquet or CSV")
    _refuse_torn(work, file)
    rows = rows_of(contents, kind)
    _refuse_values(work, contents, kind, rows)
    copy = work.folder / "rows.parquet"
    statement = _COPY.format(
        columns=", ".join(column.name for column in columns_of(kind)),
        rows=rows,
        taken=_TAKEN if kind == FUTURES else "",
        time=kind.time,
        key=", ".join(kind.key),
    )
    work.run("sorting", statement, {"path": contents.path, "to": str(copy)})
    pattern = glob.escape(str(copy))
    found = work.ask(_FOUND.format(name=kind.key[0], time=kind.time), {"path": pattern})
    simulated = any(each[-1] for each in found)
    taken = sum(rows for _, rows, *_ in found)
    return MarketFile(
        work.path,
        kind,
        pattern,
        {kind.feed(name): (from_column(first), from_column(last)) for name, _, first, last, _ in found},
        taken,
        count - taken,
        origin_of(contents) | ({Exchange.SIMULATOR} if simulated else set()),
        file.form,
        tuple(_in_words(kind, *each[:-1]) for each in found),
    )


def _refuse_torn(work: Work, file: File) -> None:
    for fault, text in work.ask("FROM torn LIMIT 1", {}):
        raise FileError(f"{work.path}: {fault}: {shown(text)}")
    if file.cut:
        raise FileError(f"{work.path} is cut: its last line has no line end; get the file anew")


def _refuse_values(work: Work, contents: Contents, kind: Kind, rows: str) -> None:
    values: dict[str, Any] = {"path": contents.path, "latest": to_column(utc_now() + _CLOCKS_DIFFER)}
    for column, names in NAMES[kind].items():
        found = work.ask(_NAMES.format(column=column, rows=rows), {"path": contents.path})
        values[sound_names(column).removeprefix("$")] = [name for (name,) in found if names.fits(name)]
    checks = list(checks_of(kind))
    cases = "\n".join(f"WHEN {check.refused} THEN {number}" for number, check in enumerate(checks))
    for row, number in work.run("checking", _FIRST_REFUSED.format(cases=cases, rows=rows), values):
        check = checks[number]
        ((value,),) = work.ask(
            _VALUE.format(value=as_it_was(check.column), rows=rows), {"path": contents.path, "row": row}
        )
        has = "no value" if value is None else shown(value)
        raise FileError(f"{work.path}: row {row:,}, column {check.column!r} has {has}: must be {check.allowed}")


def _in_words(kind: Kind, name: str, rows: int, first: datetime, last: datetime) -> str:
    return f"{kind.feed(name)}: rows {rows:,}, {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC"
