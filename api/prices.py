"""/prices: observed prices one by one, for clients of the service that Tickwell replaces."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from store.file.clock import AHEAD
from store.models import Tick
from store.prices import ticks

from .errors import BAD_REQUEST, NOT_FOUND, UNAVAILABLE
from .instants import LAST_MILLISECONDS, from_epoch, require_order, to_epoch_ms
from .replies import NOT_MODIFIED, json_reply
from .served import TICKER, OfServer, Served, Ticker, ask

MOST_ROWS = 100_000
"""A range with more ticks than this is exported as a file, not sent as one JSON reply."""

router = APIRouter(prefix="/prices", tags=["prices"], responses={**BAD_REQUEST, **UNAVAILABLE})

Limit = Annotated[int, Query(ge=1, le=100, description="How many, 1 to 100.")]
Offset = Annotated[int, Query(ge=0, description="How many of the newest observations to leave out.")]
_A_TIMESTAMP = {"minimum": 0, "maximum": LAST_MILLISECONDS}


class Price(BaseModel):
    """An observed price of an index."""

    ticker: str = Field(description="The index, as the exchange spells it.", examples=["btc_usd"])
    price: str = Field(description="In the quote currency, with 8 decimals.", examples=["101515.70000000"])
    timestamp: int = Field(description="When the exchange says it was so, in milliseconds since 1970.")


@router.get("", response_model=list[Price], responses=NOT_FOUND)
def get_prices(served: OfServer, ticker: Ticker, limit: Limit = 10, offset: Offset = 0) -> Response:
    """The observations of an index, newest first; 404 when it has none at that offset. Averages are left out."""
    page = ask(served, ticker, lambda cursor: ticks.newest_first(cursor, ticker, limit, offset))
    if not page:
        raise HTTPException(404, f"{ticker} has no tick at offset {offset}")
    return Response(f"[{items(ticker, map(_pair, page))}]", media_type="application/json")


@router.get("/filter", response_model=list[Price], responses=NOT_MODIFIED)
def get_prices_in_range(
    request: Request,
    served: OfServer,
    ticker: Ticker,
    start_timestamp: Annotated[
        int, Query(description="Seconds or milliseconds since 1970; included.", json_schema_extra=_A_TIMESTAMP)
    ],
    end_timestamp: Annotated[
        int | None, Query(description="Likewise; now if left out.", json_schema_extra=_A_TIMESTAMP)
    ] = None,
    limit: Limit = 10,
    offset: Offset = 0,
) -> Response:
    """The observations of an index from start to end, both included, ascending. Averages are left out.

    `limit` and `offset` are checked, but the whole range is returned, up to 100,000 ticks.
    """
    del limit, offset
    start = from_epoch(start_timestamp, "start_timestamp")
    now = served.now()
    end = max(now + AHEAD, start) if end_timestamp is None else from_epoch(end_timestamp, "end_timestamp")
    require_order(start, end, now)
    past_end = end + timedelta(milliseconds=1)  # the range is in milliseconds: it includes the whole last one
    found = ask(served, ticker, lambda cursor: ticks.prices(cursor, ticker, start, past_end, limit=MOST_ROWS + 1)) or []
    if len(found) > MOST_ROWS:
        raise HTTPException(
            422,
            f"start_timestamp, end_timestamp: more than {MOST_ROWS} ticks lie between them; ask for a shorter range, "
            "or export them as a file",
        )
    return json_reply(request, f"[{items(ticker, found)}]".encode())


@router.get("/{ticker}/latest", response_model=Price, responses=NOT_FOUND)
async def get_latest_price(
    served: OfServer, ticker: Annotated[str, Path(description=TICKER, examples=["btc_usd"])]
) -> Response:
    """The newest observation of an index; 404 when it has none. Averages are left out."""
    revision, reply = served.newest_replies.get(ticker, (None, b""))
    if revision is None or revision is not served.database.revision:
        reply = await run_in_threadpool(_newest, served, ticker)
    return Response(reply, media_type="application/json")


def _newest(served: Served, ticker: str) -> bytes:
    """The reply with the newest price of an index, kept until somebody writes to the database."""
    revision = served.database.revision
    newest = ask(served, ticker, lambda cursor: ticks.newest_first(cursor, ticker, limit=1))
    if not newest:
        raise HTTPException(404, f"{ticker} has no observed price yet")
    reply = items(ticker, map(_pair, newest)).encode()
    served.newest_replies[ticker] = revision, reply
    return reply


def items(ticker: str, prices: Iterable[tuple[int, float]]) -> str:
    """The items of one index as JSON, given the milliseconds and the price of each.

    The text is formed directly: building objects first would take four times as long.
    """
    head = f'{{"ticker":{json.dumps(ticker, ensure_ascii=False)},"price":"'
    return ",".join([f'{head}{price:.8f}","timestamp":{ms}}}' for ms, price in prices])


def _pair(tick: Tick) -> tuple[int, float]:
    return to_epoch_ms(tick.ts), tick.price
