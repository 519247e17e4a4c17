"""/volatility: candles of DVOL, the exchange's volatility index."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from api.errors import BAD_REQUEST, UNAVAILABLE
from api.replies import NOT_MODIFIED
from api.served import OfServer
from store.file.database import Cursor
from store.kinds import VOLATILITY_INDEX
from store.market.reads.dvol import DVOL_INTERVALS, DvolCandle, dvol_candles
from store.prices.bars import INTERVAL_NAMES
from store.words import shortened

from .asked import OR_COARSER, Asked, Currency, Explain, ask_rows, require_few
from .told import Over, answer

INTERVALS = {INTERVAL_NAMES[interval]: interval for interval in DVOL_INTERVALS}

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
