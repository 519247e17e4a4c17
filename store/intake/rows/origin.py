"""Which exchange the prices of a file are of, as far as the file tells: exports of Tickwell do."""

import json
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.errors import ForeignExchangeError
from store.file.exchange import admit, exchange_of
from store.models import Exchange

from .contents import KNOWN_AS, Contents

_NOTED = """
SELECT TRY(decode(value))
FROM parquet_kv_metadata($path)
WHERE key = CAST('tickwell.exchange' AS BLOB)
"""

_RECORDED = """
SELECT 1
FROM read_parquet($path) AS file({places})
WHERE CAST({place} AS VARCHAR) IN ('live', 'chart')
LIMIT 1
"""


def origin_of(contents: Contents) -> frozenset[Exchange]:
    """The exchanges that the prices may be of; none if the file does not tell."""
    known = {json.dumps(each): each for each in Exchange}
    for (noted,) in contents.ask(_NOTED, {"path": contents.path}):
        if noted in known:
            return frozenset({known[noted]})
    source = next((contents.by_name[name] for name in KNOWN_AS["source"] if name in contents.by_name), None)
    if source is None or not contents.of_columns(_RECORDED, place=contents.places[source]):
        return frozenset()
    return frozenset({Exchange.REAL, Exchange.TEST})


def admit_origin(cursor: DuckDBPyConnection, origin: frozenset[Exchange], now: datetime) -> None:
    """Note the exchange of the prices in the database, if it is the only one that they may be of.

    Raises:
        ForeignExchangeError: the database has prices of another exchange, or the file has the simulator's and others.
    """
    if len(origin) == 1:
        admit(cursor, next(iter(origin)), now)
    elif Exchange.SIMULATOR in (exchange_of(cursor), *origin):
        raise ForeignExchangeError("the simulator's prices and others")
