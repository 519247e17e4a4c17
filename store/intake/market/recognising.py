"""Finds the kind of a market's file by its columns."""

from store import kinds
from store.errors import FileError
from store.export import tardis
from store.export.selection import columns_of
from store.intake.rows.contents import Contents, all_names
from store.intake.rows.foreign import Columns
from store.intake.rows.reading import instant_in
from store.kinds import DELIVERIES, Kind

from .limits import NAMES
from .reading import ISO

# Our candles of prices have three quarters of the columns of DVOL.
_MOST_COLUMNS = 0.75

_ALL_AT_EIGHT = """
SELECT coalesce(bool_and(coalesce(ts = date_trunc('day', ts) + INTERVAL 8 HOURS, false)), false)
FROM (SELECT {instant} AS ts FROM read_parquet($path) AS file({places}))
"""


def kind_in(contents: Contents, columns: Columns) -> Kind | None:
    """The kind of a market's rows in a file; None if it has prices, or if the user names the column of its prices.

    A file is of a kind if it has most columns of the kind's table. Deliveries are prices as well: what the user says of
    them makes them prices of an index.

    Raises:
        FileError: its rows follow from others, it lacks a column of an export, or the user says how prices are read.
    """
    if columns.price is not None:
        return None
    names = contents.by_name.keys()
    if names >= {column.name for column in tardis.COLUMNS}:
        raise FileError(f"{contents.called} has options in the columns of Tardis: export them in their own columns")
    known = [kind for kind in kinds.KINDS if kind in NAMES or kind.derived]
    shares = {kind: len(names & set(kind.column_names)) / len(kind.columns) for kind in known}
    kind = max(shares, key=lambda each: shares[each])
    if shares[kind] <= _MOST_COLUMNS:
        return None
    if kind == DELIVERIES and (columns != Columns() or not _has_deliveries(contents)):
        return None
    if columns != Columns():
        raise FileError(
            f"{contents.called} has {kind.name}, as export writes them: leave out the flags that say how prices are "
            "read, or name the column of the prices with --price"
        )
    if kind.derived:
        raise FileError(
            f"{contents.called} has {kind.name}, which are made of {kind.snapshots}: import the {kind.snapshots}, and "
            f"the {kind.name} are made again"
        )
    lacks = [column.name for column in columns_of(kind) if column.name not in names]
    if lacks:
        raise FileError(
            f"{contents.called} lacks the column {lacks[0]!r}, which an export of {kind.name} has: export it anew; it "
            f"has {all_names(contents)}"
        )
    return kind


def _has_deliveries(contents: Contents) -> bool:
    """Are the rows delivery prices? Prices may have the same columns, but not all at 08:00 UTC."""
    if contents.by_name.keys() != set(DELIVERIES.column_names):
        return False
    name = contents.by_name[DELIVERIES.time]
    place, type_ = contents.places[name], contents.types[name]
    instant = ISO.instant(place) if type_ == "VARCHAR" else instant_in(place, type_)
    ((found,),) = contents.of_columns(_ALL_AT_EIGHT, instant=instant)
    return bool(found)
