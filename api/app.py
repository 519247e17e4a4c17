"""The HTTP routes: each a thin translation of one store function."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse

from settings import VERSION, Settings
from store import Cursor, Database, NoDatabaseError, StoreError, Tick, ticks, utc_now
from store.status import health

from .instants import from_epoch, require_order, to_epoch_ms

MOST_ROWS = 100_000
"""More ticks than this leave as a file, not as one JSON reply."""


@dataclass(frozen=True)
class Served:
    """What the routes read: the settings of this server and the database that they name."""

    settings: Settings
    database: Database


def create_app() -> FastAPI:
    """The API. Whoever serves it sets `app.state.served` to a `Served` before the first request."""
    app = FastAPI(title="Tickwell", version=VERSION, docs_url=None, redoc_url=None)
    app.add_api_route("/health", get_health)
    app.add_api_route("/prices/", get_prices)
    app.add_api_route("/prices/filter", get_prices_in_range)
    app.add_api_route("/prices/{ticker}/latest", get_latest_price)
    app.add_exception_handler(StoreError, _database_unavailable)
    return app


async def _served(request: Request) -> Any:
    return request.app.state.served


OfServer = Annotated[Served, Depends(_served)]
Limit = Annotated[int, Query(ge=1, le=100)]
Offset = Annotated[int, Query(ge=0)]


def get_health(served: OfServer) -> JSONResponse:
    """How recording goes; 503 unless the newest ticks are fresh."""
    report = health(served.database, served.settings, utc_now())
    return JSONResponse(report, status_code=200 if report["status"] == "ok" else 503)


def get_prices(served: OfServer, ticker: str, limit: Limit = 10, offset: Offset = 0) -> JSONResponse:
    """The observations of an index, newest first; 404 when it has none at that offset. Averages are left out."""
    page = _read(served, ticker, lambda cursor: ticks.newest_first(cursor, ticker, limit, offset))
    if not page:
        raise HTTPException(404, f"{ticker} has no tick at offset {offset}")
    return JSONResponse([_item(tick) for tick in page])


def get_latest_price(served: OfServer, ticker: str) -> JSONResponse:
    """The newest observation of an index; 404 when it has none. Averages are left out."""
    newest = _read(served, ticker, lambda cursor: ticks.newest_first(cursor, ticker, limit=1))
    if not newest:
        raise HTTPException(404, f"{ticker} has no tick yet")
    return JSONResponse(_item(newest[0]))


def get_prices_in_range(
    served: OfServer,
    ticker: str,
    start_timestamp: int,
    end_timestamp: int | None = None,
    limit: Limit = 10,
    offset: Offset = 0,
) -> JSONResponse:
    """The observations of an index from start to end, both included, ascending. Averages are left out.

    Times are seconds or milliseconds; the end is now unless told. `limit` and `offset` are checked, but the whole range
    is returned, up to 100,000 ticks.
    """
    del limit, offset
    now = utc_now()
    start = from_epoch(start_timestamp, "start_timestamp")
    end = now if end_timestamp is None else from_epoch(end_timestamp, "end_timestamp")
    require_order(start, end, now)
    past_end = end + timedelta(milliseconds=1)  # a tick is in the range when its `timestamp`, in milliseconds, is
    found = _read(served, ticker, lambda cursor: ticks.history(cursor, ticker, start, past_end, limit=MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        raise HTTPException(422, f"more than {MOST_ROWS} ticks: ask for a shorter range, or export them as a file")
    return JSONResponse([_item(tick) for tick in found])


def _read(served: Served, ticker: str, query: Callable[[Cursor], list[Tick]]) -> list[Tick]:
    """Ask the database about an index; 422 when it is neither configured nor stored."""
    configured = ticker in served.settings.indexes
    try:
        with served.database.read() as cursor:
            if configured or ticks.latest(cursor, ticker):
                return query(cursor)
    except NoDatabaseError:
        if configured:
            return []
    raise HTTPException(422, f"ticker = {ticker!r}: must be one of {', '.join(served.settings.indexes)}")


def _item(tick: Tick) -> dict[str, Any]:
    return {"ticker": tick.index_name, "price": f"{tick.price:.8f}", "timestamp": to_epoch_ms(tick.ts)}


async def _database_unavailable(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=503)
