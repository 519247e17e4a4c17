"""How a lake fares: what is in it, how far behind it is, and how publishing goes."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple

from duckdb import DuckDBPyConnection

from store.models import Exchange, from_column

from . import tables
from .connection import NAME, Lake
from .notice import Notice
from .tables import ALL

_SIZES = "SELECT table_name, file_count, file_size_bytes FROM ducklake_table_info(?)"
_ROWS = "SELECT count(*), max({time}) FROM {table}"
_PLACE = "SELECT value FROM ducklake_options(?) WHERE option_name = 'data_path'"


class Shared(NamedTuple):
    """A table of the lake.

    Attributes:
        rows: how many rows it has.
        newest: the time of the newest one; None without rows.
        files, bytes: its Parquet files.
    """

    rows: int
    newest: datetime | None
    files: int
    bytes: int


@dataclass(frozen=True)
class Status:
    """How a lake fares.

    Attributes:
        place: where its files are.
        exchange: whose prices it has; None while none of a known exchange are published.
        tables: what it has, by the name of the table.
        notice: how the publisher of this machine's file fares.
        lag_s: how long ago the last publication of this file began; None before the first one.
    """

    place: str
    exchange: Exchange | None
    tables: dict[str, Shared]
    notice: Notice
    lag_s: float | None

    def as_json(self) -> dict[str, Any]:
        """The status as an object, times in ISO 8601."""
        notice = {key: value for key, value in asdict(self.notice).items() if key not in {"lake", "marks"}}
        return {
            "place": self.place,
            "exchange": self.exchange,
            **notice,
            "shared_to": _iso(self.notice.shared_to),
            "lag_s": self.lag_s,
            "tables": {
                name: {**shared._asdict(), "newest": _iso(shared.newest)} for name, shared in self.tables.items()
            },
        }

    def in_words(self) -> str:
        """The status in lines."""
        lines = [f"files in {self.place}, prices of {self.exchange or 'no known exchange yet'}"]
        notice = self.notice
        if notice.shared_to is None or self.lag_s is None:
            lines.append("this file was not published yet")
        else:
            lines.append(
                f"this file is shared up to {notice.shared_to:%Y-%m-%d %H:%M:%S} UTC, {self.lag_s:.0f} s ago; rows "
                f"of the last publication: {notice.rows:,}, redone because of other recorders: {notice.conflicts:,}"
            )
        if notice.trouble:
            lines.append(f"the last publication failed: {notice.trouble}")
        for name, shared in self.tables.items():
            newest = "none" if shared.newest is None else f"newest {shared.newest:%Y-%m-%d %H:%M:%S} UTC"
            lines.append(f"{name}: rows {shared.rows:,}, {newest}, files {shared.files:,}, bytes {shared.bytes:,}")
        return "\n".join(lines)


def status(lake: Lake, notice: Notice, now: datetime) -> Status:
    """How a lake fares, and the publisher with this notice.

    Raises:
        StoreError: the lake can't be read.
    """
    with lake.open(read_only=True) as cursor:
        exchange = tables.origin(cursor).exchange
        ((place,),) = cursor.execute(_PLACE, [NAME]).fetchall()
        found = _tables(cursor)
    lag_s = None if notice.shared_to is None else (now - notice.shared_to).total_seconds()
    return Status(place, exchange, found, notice, lag_s)


def _tables(cursor: DuckDBPyConnection) -> dict[str, Shared]:
    sizes = {name: of for name, *of in cursor.execute(_SIZES, [NAME]).fetchall()}
    found = {}
    for kind in ALL:
        ((rows, newest),) = cursor.execute(_ROWS.format(table=kind.table, time=kind.time)).fetchall()
        found[kind.table] = Shared(rows, None if newest is None else from_column(newest), *sizes[kind.table])
    return found


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
