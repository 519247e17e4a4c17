"""/volatility: candles of DVOL, the exchange's volatility index, and what was realised beside it."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from api.errors import BAD_REQUEST, UNAVAILABLE, Problem
from api.replies import NOT_MODIFIED
from api.served import OfServer, Served
from store.file.database import Cursor
from store.instants import EPOCH
from store.kinds import VOLATILITY_INDEX
from store.market.reads import explained, volatility
from store.market.reads.dvol import DVOL_INTERVALS, DvolCandle, dvol_candles
from store.market.reads.volatility import VolatilityAt
from store.market.realised import Band
from store.prices.bars import INTERVAL_NAMES
from store.words import shortened

from .asked import OR_COARSER, Asked, At, Currency, Explain, ask_rows, past_or_now, require_few
from .compared import Vs, compared
from .told import Over, Told, answer

INTERVALS = {INTERVAL_NAMES[interval]: interval for interval in DVOL_INTERVALS}

_NOTHING: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "Nothing is recorded yet."}}

router = APIRouter(tags=["volatility"], responses={**NOT_MODIFIED, **BAD_REQUEST, **UNAVAILABLE})


class DvolRow(BaseModel):
    """DVOL in one interval, in percent a year."""

    open_time: datetime = Field(description="When the candle opens; a day begins at 00:00 UTC.")
    open: float
    high: float
    low: float
    close: float


class VolatilityOver(Over):
    """The candles of DVOL in a time."""

    currency: str
    interval: str
    rows: list[DvolRow]


class Spread(BaseModel):
    """How realised volatility over some days was spread in the year before, in percent a year."""

    days: int = Field(description="The days that each value looks back on.")
    low: float
    quarter: float
    median: float
    three_quarters: float
    high: float
    values: int = Field(description="How many midnights have a value.")


class VolatilityThen(Told):
    """DVOL and realised volatility as of an instant, in percent a year. What is not known is null."""

    currency: str
    at: datetime = Field(description="The instant of the answer.")
    dvol: float | None = Field(description="The close of the newest candle of DVOL.")
    dvol_ts: datetime | None = Field(description="When that candle ended.")
    dvol_30d_before: float | None = Field(description="DVOL 30 days before the instant.")
    rank: float | None = Field(description="0 to 1, where DVOL stands between its least and its largest daily close.")
    percentile: float | None = Field(description="0 to 1, the share of days with a lower close.")
    days: int = Field(description="How many daily closes rank and percentile rest on; 365 at most.")
    realised: float | None = Field(
        description="Of the 30 days before; null if less than half of the minutes are known."
    )
    minutes_known: int = Field(description="How many returns of a minute realised rests on.")
    minutes_due: int
    premium_now: float | None = Field(description="DVOL less what was realised in the 30 days before, in points.")
    premium_later: float | None = Field(description="DVOL of 30 days before less what was realised since, in points.")
    cone: list[Spread] = Field(description="With cone=true.")
    compared: "VolatilityThen | None" = Field(default=None, description="With vs: the answer of then.")


@router.get("/volatility/at", response_model=VolatilityThen, responses=_NOTHING)
def get_volatility_at(
    request: Request,
    served: OfServer,
    *,
    currency: Currency,
    at: At = None,
    cone: Annotated[bool, Query(description="With the spread of realised volatility in the year before.")] = False,
    vs: Vs = None,
    explain: Explain = False,
) -> Response:
    """DVOL as it was known at an instant, and who was right: what was realised in the 30 days before.

    Realised volatility is that of closes of observed minutes.
    """
    instant = past_or_now(served, at)

    def answer_at(at: datetime) -> dict[str, Any]:
        return {**_told(*_volatility(served, currency, at, cone=cone)), "at": at}

    body = answer_at(instant) | compared(instant, vs, answer_at)
    return answer(request, body, explained.VOLATILITY, explain=explain)


def _volatility(served: Served, currency: str, at: datetime, *, cone: bool) -> tuple[VolatilityAt, list[Band | None]]:
    """What is known at an instant; 404 before anything is recorded."""

    def read(cursor: Cursor) -> list[tuple[VolatilityAt, list[Band | None]]]:
        then = max(at, EPOCH)  # nothing was recorded before, and a year before must be a time
        bands = volatility.cone(cursor, currency, then) if cone else []
        return [(volatility.volatility_at(cursor, currency, then), bands)]

    found = ask_rows(served, "currency", currency, VOLATILITY_INDEX, read)
    if not found:
        raise HTTPException(404, f"{VOLATILITY_INDEX.feed(currency)}: nothing is recorded yet")
    return found[0]


def _told(found: VolatilityAt, bands: list[Band | None]) -> dict[str, Any]:
    standing, later, now = found.standing, found.premium_later, found.premium_now
    spreads = [(days, band) for days, band in zip(volatility.CONE_D, bands, strict=False) if band is not None]
    return {
        "currency": found.currency,
        "dvol": found.dvol and found.dvol.value,
        "dvol_ts": found.dvol and found.dvol.ts,
        "dvol_30d_before": found.month_before and found.month_before.value,
        "rank": standing and standing.rank,
        "percentile": standing and standing.percentile,
        "days": standing.days if standing else 0,
        "realised": found.realised,
        "minutes_known": found.moves.known,
        "minutes_due": volatility.DUE,
        "premium_now": now and now.points,
        "premium_later": later and later.points,
        "cone": [{**band._asdict(), "days": days, "values": band.days} for days, band in spreads],
    }


@router.get("/volatility", response_model=VolatilityOver)
def get_volatility(
    request: Request,
    served: OfServer,
    time: Asked,
    *,
    currency: Currency,
    interval: Annotated[
        str, Query(description="The length of a candle.", json_schema_extra={"enum": list(INTERVALS)})
    ] = "1h",
    explain: Explain = False,
) -> Response:
    """The candles of DVOL that open at start or later and are over at end, ascending, at most 10,000.

    They are the exchange's. A candle that was not recorded is absent, not filled.
    """
    length = _interval_of(interval)
    past = time.up_to(served.now())
    require_few((past.end - past.start) // length, f"candles of {interval}", OR_COARSER)

    def read(cursor: Cursor) -> list[DvolCandle]:
        return dvol_candles(cursor, currency, *past, length)

    rows = [each._asdict() for each in ask_rows(served, "currency", currency, VOLATILITY_INDEX, read)]
    body = {"currency": currency, "interval": interval, **time._asdict(), "rows": rows}
    return answer(request, body, (), explain=explain)


def _interval_of(name: str) -> timedelta:
    if name not in INTERVALS:
        raise HTTPException(422, f"interval = {shortened(name)}: must be one of {', '.join(INTERVALS)}")
    return INTERVALS[name]
