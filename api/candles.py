"""/candles: the ticks of an index folded into bars."""

import json
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from store.file.clock import AHEAD
from store.file.database import Cursor
from store.prices import ticks
from store.prices.bars import bars, bucket

from .errors import BAD_REQUEST, UNAVAILABLE
from .instants import INTERVALS, Instant, interval_of, require_order
from .replies import NOT_MODIFIED, json_reply
from .served import OfServer, Ticker, ask

MOST_CANDLES = 10_000
"""The most candles that one request may ask for."""

router = APIRouter(tags=["candles"], responses={**NOT_MODIFIED, **BAD_REQUEST, **UNAVAILABLE})


class Candle(BaseModel):
    """The ticks of an index in one interval. Prices are in the quote currency."""

    open_time: datetime = Field(description="When the candle opens: ISO 8601 in UTC, a multiple of the interval.")
    open: float
    high: float
    low: float
    close: float
    tick_count: int = Field(description="How many ticks it was made of, averages included.")
    observed_count: int = Field(description="How many of these ticks were observed.")
    resolution_s: int = Field(
        description="The longest time in seconds that one of its ticks is an average over; 0 when all were observed."
    )
    averaged: bool = Field(
        description="All or most of its ticks are averages: its high and low do not show the range of prices."
    )


@router.get("/candles", response_model=list[Candle])
def get_candles(
    request: Request,
    served: OfServer,
    ticker: Ticker,
    start: Annotated[Instant, Query(description="ISO 8601, UTC unless it says otherwise, or seconds or milliseconds.")],
    end: Annotated[Instant | None, Query(description="Likewise; now if left out.")] = None,
    interval: Annotated[
        str, Query(description="The length of a candle.", json_schema_extra={"enum": list(INTERVALS)})
    ] = "1m",
) -> Response:
    """The candles of an index that open from `start` to before `end`, ascending, at most 10,000.

    A candle without a tick is absent, not filled. A candle that is not over yet has the ticks so far.
    """
    now, length = served.now(), interval_of(interval)
    until = max(now, start) if end is None else end
    require_order(start, until, now, ("start", "end"))
    _require_few(start, until, interval)
    body = ask(served, ticker, lambda cursor: _candles(cursor, ticker, start, until, length, to_newest=end is None))
    return json_reply(request, (body or "[]").encode())


def _require_few(start: datetime, end: datetime, interval: str) -> None:
    count = -((start - end) // INTERVALS[interval])
    if count > MOST_CANDLES:
        raise HTTPException(
            422,
            f"start, end: {count:,} candles of {interval} lie between them, and at most {MOST_CANDLES:,} are given; "
            "ask for a shorter range or a longer interval, or export them as a file",
        )


def _candles(cursor: Cursor, ticker: str, start: datetime, end: datetime, length: timedelta, *, to_newest: bool) -> str:
    newest = ticks.latest(cursor, ticker) if to_newest else None
    if newest is not None and newest.ts < end + AHEAD:
        end = max(end, newest.ts + timedelta(microseconds=1))
    first, past_last = (bucket(at + length - timedelta(microseconds=1), length) for at in (start, end))
    frame = bars(cursor, ticker, first, past_last, length)
    inside = frame[(frame["open_time"] >= first) & (frame["open_time"] < past_last)].copy()
    inside["open_time"] = inside["open_time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(inside[list(Candle.model_fields)].to_dict("records"), separators=(",", ":"))
