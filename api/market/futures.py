"""/futures and /funding: futures as of an instant, their basis over a time, and what perpetuals paid."""

from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.errors import BAD_REQUEST, UNAVAILABLE
from api.replies import NOT_MODIFIED
from api.served import OfServer, Served
from store.file.database import Cursor
from store.instants import HOUR
from store.kinds import FUNDING, FUTURES
from store.market.carry import funding_over
from store.market.reads import explained
from store.market.reads.funding import funding_hours
from store.market.reads.futures import Basis, Quoted, basis_over, carry_of, futures_at, spreads_of
from store.market.reads.snapshots import InSlot, count_between

from .asked import (
    NO_SNAPSHOT,
    OR_COARSER,
    Asked,
    At,
    Currency,
    Explain,
    Interval,
    NoSnapshot,
    as_of,
    ask_rows,
    require_few,
)
from .compared import Vs, compared
from .told import AsOf, Over, answer, of_snapshot, row_model

LONGEST_MATURITY_D = 3650

router = APIRouter(tags=["futures and funding"], responses={**NOT_MODIFIED, **BAD_REQUEST, **UNAVAILABLE})

FutureRow = row_model(
    "FutureRow",
    "A future, or the perpetual, which has no expiry. null is an absent quote or trade.",
    FUTURES,
    FUTURES.brought,
    basis=(float | None, Field(description="mark_price above index_price; 0.01 is 1 %; null from 07:30 to 08:00 UTC")),
    annual_basis=(float | None, Field(description="simple, 0.01 is 1 % a year; null below one day to expiry")),
)


class SpreadRow(BaseModel):
    """What a future costs above the one that expires before it."""

    near: str = Field(description="The name of the one that expires first.")
    far: str = Field(description="The name of the one that expires next.")
    spread: float | None = Field(description="The mark price of far less that of near, in USD.")
    annual_spread: float | None = Field(
        description="As a part of near's, simple, 0.01 is 1 % a year; null below one day between the expiries."
    )


class FuturesAt(AsOf):
    """The futures of a currency as of an instant, the perpetual first."""

    currency: str
    futures: list[FutureRow]  # type: ignore[valid-type]  # it is made of the columns
    spreads: list[SpreadRow] = Field(description="Of each pair of neighbouring expiries, ascending.")
    compared: "FuturesAt | NoSnapshot | None" = Field(default=None, description="With vs: the answer of then.")


class BasisRow(BaseModel):
    """The basis of a snapshot at the constant maturity."""

    ts: datetime = Field(description="The exchange time of the snapshot.")
    index_price: float | None = Field(description="In USD.")
    annual_basis: float | None = Field(
        description="Simple, 0.01 is 1 % a year; null if the maturity is not between two futures."
    )


class BasisOver(Over):
    """The annual basis at a constant maturity in each snapshot of a time."""

    currency: str
    days: int
    rows: list[BasisRow]


class FundingRow(BaseModel):
    """An hour of funding. Longs pay shorts if it is above 0; 0.0001 is 0.01 %."""

    ts: datetime = Field(description="The end of the hour.")
    index_price: float | None = Field(description="At that time, in USD.")
    interest_1h: float = Field(description="The rate of the hour.")
    interest_8h: float | None = Field(description="The rate of the 8 hours that end then.")


class FundingOver(Over):
    """The hours of funding of a perpetual that lie whole in a time, and their sum."""

    instrument_name: str
    cumulated: float | None = Field(description="What longs paid, as a fraction of their position; null without hours.")
    annual: float | None = Field(description="The same as a simple rate a year.")
    hours_known: int
    hours_due: int = Field(description="How many whole hours the time has up to now.")
    rows: list[FundingRow]


@router.get("/futures", response_model=FuturesAt, responses=NO_SNAPSHOT)
def get_futures(
    request: Request, served: OfServer, *, currency: Currency, at: At = None, vs: Vs = None, explain: Explain = False
) -> Response:
    """The futures of a currency as they were known at an instant, with their basis, and the spreads between them.

    404 names the nearest snapshots.

    Only a snapshot that is at most one period old answers.
    """

    def before(then: datetime) -> dict[str, Any]:
        earlier = _futures(served, currency, then)
        return of_snapshot(earlier, _priced(currency, earlier))

    found = _futures(served, currency, at)
    body = _priced(currency, found) | compared(at or found.ts, vs, before)
    return answer(request, body, (*explained.CARRY, *explained.SPREADS), explain=explain, found=found)


def _futures(served: Served, currency: str, at: datetime | None) -> InSlot[Quoted]:
    return as_of(
        served, "currency", currency, FUTURES, at, lambda cursor, instant: futures_at(cursor, currency, instant)
    )


def _priced(currency: str, found: InSlot[Quoted]) -> dict[str, Any]:
    """The futures of a snapshot with their basis, and the spreads between them."""
    rows = [each._asdict() | carry_of(each, found.ts, found.index_price)._asdict() for each in found.rows]
    spreads = [{name: getattr(each, name) for name in SpreadRow.model_fields} for each in spreads_of(found)]
    return {"currency": currency, "futures": rows, "spreads": spreads}


@router.get("/futures/basis", response_model=BasisOver)
def get_basis(
    request: Request,
    served: OfServer,
    time: Asked,
    interval: Interval,
    *,
    currency: Currency,
    days: Annotated[int, Query(ge=1, le=LONGEST_MATURITY_D, description="The constant time to expiry, in days.")] = 90,
    explain: Explain = False,
) -> Response:
    """The annual basis of a future that would always expire after the same days, in each snapshot from start to end.

    With an interval only its last snapshot counts; one from 07:30 to 08:00 UTC only if it has no other. At most 10,000
    snapshots. Nothing is extrapolated: the basis is null where these days are not between two futures.
    """

    def read(cursor: Cursor) -> list[Basis]:
        require_few(count_between(cursor, FUTURES.feed(currency), *time, interval), "snapshots", OR_COARSER)
        return basis_over(cursor, currency, *time, timedelta(days=days), interval)

    rows = [each._asdict() for each in ask_rows(served, "currency", currency, FUTURES, read)]
    body = {"currency": currency, "days": days, **time._asdict(), "rows": rows}
    return answer(request, body, explained.MATURITY, explain=explain)


@router.get("/funding", response_model=FundingOver)
def get_funding(
    request: Request,
    served: OfServer,
    time: Asked,
    *,
    instrument: Annotated[str, Query(description="The perpetual.", examples=["BTC-PERPETUAL"])],
    explain: Explain = False,
) -> Response:
    """The hours of funding that begin at start or later and are over at end, and their sum. At most 10,000 hours.

    An hour that was not recorded is absent: `hours_known` of `hours_due` are there.
    """
    past = time.up_to(served.now())
    require_few((past.end - past.start) // HOUR, "hours")
    hours = ask_rows(served, "instrument", instrument, FUNDING, lambda cursor: funding_hours(cursor, instrument, *past))
    total = funding_over([(each.ts, each.interest_1h) for each in hours], *past)
    rows = [each._asdict() for each in hours]
    body = {"instrument_name": instrument, **time._asdict(), **total._asdict(), "rows": rows}
    return answer(request, body, explained.FUNDING, explain=explain)
