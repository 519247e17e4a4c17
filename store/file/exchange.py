"""The exchange whose prices a file has: the real one, its test environment or the simulator.

It is noted with the first reply that is stored, or with the first import whose file tells it, and never changes. Other
imported prices belong to no exchange.
"""

from datetime import datetime

from duckdb import DuckDBPyConnection

from store.errors import ForeignExchangeError
from store.models import Exchange, to_column

_NOTED = """
SELECT name
FROM exchange
"""

_NOTE = """
INSERT INTO exchange (name, noted_at)
VALUES ($name, $noted_at)
"""

_NOT_SIMULATED = """
SELECT 1
FROM {table}
WHERE source <> 'simulator'
LIMIT 1
"""

_TABLES = ("ticks", "snapshots", "futures", "volatility_index", "funding", "deliveries")
"""Those whose rows have a source."""

_PATH = """
SELECT path
FROM duckdb_databases()
WHERE database_name = current_database()
"""


def exchange_of(cursor: DuckDBPyConnection) -> Exchange | None:
    """The exchange whose prices the file has; None while no reply is stored."""
    noted = cursor.execute(_NOTED).fetchone()
    return None if noted is None else Exchange[noted[0].upper()]


def refuse_another(cursor: DuckDBPyConnection, exchange: Exchange | None) -> None:
    """Check that replies of an exchange may be stored in the file; None always may.

    A file with only imported prices accepts those of the real exchange or of its test environment.

    Raises:
        ForeignExchangeError: the file has prices of another exchange.
    """
    if exchange is None:
        return
    noted = exchange_of(cursor)
    if noted is exchange or (noted is None and (exchange is not Exchange.SIMULATOR or not _has_others(cursor))):
        return
    ((path,),) = cursor.execute(_PATH).fetchall()
    whose = f"of {noted}" if noted is not None else "that are not the simulator's"
    raise ForeignExchangeError(
        f"{path} has prices {whose}, the replies are of {exchange}: "
        "name another file in TICKWELL_DATABASE, or the right address in TICKWELL_DERIBIT_URL"
    )


def admit(cursor: DuckDBPyConnection, exchange: Exchange | None, now: datetime) -> None:
    """As `refuse_another`; also note the first exchange of the file. Call it inside `Database.write`."""
    refuse_another(cursor, exchange)
    if exchange is not None and exchange_of(cursor) is None:
        cursor.execute(_NOTE, {"name": exchange.name.lower(), "noted_at": to_column(now)})


def _has_others(cursor: DuckDBPyConnection) -> bool:
    """Does the file have prices that are not the simulator's?"""
    return any(cursor.execute(_NOT_SIMULATED.format(table=table)).fetchone() is not None for table in _TABLES)
