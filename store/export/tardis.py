"""Options under the names and in the units of Tardis, for programs that read files of Tardis.

Source: docs.tardis.dev, "Downloadable CSV files", options_chain, December 2026. Columns that are not recorded are left
out: the amounts and IVs of bid and ask, the underlying index and the greeks.
"""

from typing import NamedTuple

from store.kinds import OPTIONS, Column
from store.models import Exchange

EXCHANGES = {
    None: "deribit",
    Exchange.REAL: "deribit",
    Exchange.TEST: "deribit-test",
    Exchange.SIMULATOR: "deribit-simulator",
}
"""The names in the column `exchange`. Options of the simulator have a name of their own."""

_DIGITS = "regexp_replace(strike::VARCHAR, '\\.0$', '')"
_SYMBOL = (
    "underlying || '-' || day(expiry) || upper(strftime(expiry, '%b%y')) || '-' "
    f"|| replace({_DIGITS}, '.', 'd') || '-' || upper(option_type[1])"
)

_US = "us since 1970"


class _Renamed(NamedTuple):
    name: str
    type: str
    unit: str
    expression: str


def _as_it_is(name: str, of: str) -> _Renamed:
    own = next(column for column in OPTIONS.columns if column.name == of)
    return _Renamed(name, own.type, own.unit, of)


_RENAMED = (
    _Renamed("exchange", "VARCHAR", "", "$exchange"),
    _Renamed("symbol", "VARCHAR", "", _SYMBOL),
    _Renamed("timestamp", "BIGINT", _US, "epoch_us(ts)"),
    _Renamed("local_timestamp", "BIGINT", _US, "epoch_us(received_at)"),
    _as_it_is("type", "option_type"),
    _as_it_is("strike_price", "strike"),
    _Renamed("expiration", "BIGINT", _US, "epoch_us(expiry)"),
    _as_it_is("open_interest", "open_interest"),
    _as_it_is("last_price", "last"),
    _as_it_is("bid_price", "bid_price"),
    _as_it_is("ask_price", "ask_price"),
    _as_it_is("mark_price", "mark_price"),
    _as_it_is("mark_iv", "mark_iv"),
    _as_it_is("underlying_price", "underlying_price"),
)

COLUMNS = tuple(Column(each.name, each.type, each.unit) for each in _RENAMED)
TIME = "timestamp"


def renamed(rows: str) -> str:
    """The SQL that gives the rows of options under these names. It needs the value `exchange`."""
    selected = ", ".join(f"{each.expression} AS {each.name}" for each in _RENAMED)
    return f"SELECT {selected} FROM ({rows})"  # noqa: S608 names and rows are constants
