"""/options: chains, smiles and open interest as of an instant, contracts and surfaces over a time."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BeforeValidator, WithJsonSchema

from api.errors import BAD_REQUEST, UNAVAILABLE
from api.replies import NOT_MODIFIED
from api.served import OfServer, Served
from store.file.database import Cursor
from store.kinds import OPTIONS, SURFACES
from store.market.black76 import Greeks
from store.market.instruments import Option, option_name, option_of
from store.market.reads import explained
from store.market.reads.as_of import Row, chain_at, contract, count_of_contract, surfaces
from store.market.reads.contract import Settlement, settlement
from store.market.reads.interest import AtStrike, InterestAt, interest_of
from store.market.reads.smiles import SmileAt, greeks_of, smiles_of
from store.market.reads.snapshots import EACH, InSlot, count_between
from store.market.reads.terms import DELTAS, Term, ivs_by_delta, terms_of
from store.market.smile import put_call_ratio
from store.words import shortened

from .asked import NO_SNAPSHOT, OR_COARSER, Asked, At, Explain, Interval, as_of, ask_rows, require_few
from .compared import Vs, compared
from .option_rows import ChainAt, HistoryOver, InterestAsOf, SmilesAt, SurfacesOver
from .told import answer, of_snapshot

_EXPIRES_AT_HOUR = 8


def _day(text: str) -> datetime:
    """The instant of expiry on a day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(hour=_EXPIRES_AT_HOUR, tzinfo=UTC)
    except ValueError:
        raise ValueError("must be a day, such as 2026-12-25") from None


router = APIRouter(prefix="/options", tags=["options"], responses={**NOT_MODIFIED, **BAD_REQUEST, **UNAVAILABLE})

Underlying = Annotated[str, Query(description="The underlying of the options, such as BTC.", examples=["BTC"])]
Expiry = Annotated[
    datetime | None,
    BeforeValidator(_day),
    WithJsonSchema({"type": "string", "format": "date"}),
    Query(description="Only the options that expire on this day; all if left out."),
]


@router.get("/chain", response_model=ChainAt, responses=NO_SNAPSHOT)
def get_chain(
    request: Request,
    served: OfServer,
    *,
    underlying: Underlying,
    at: At = None,
    expiry: Expiry = None,
    greeks: Annotated[bool, Query(description="With the greeks of each option, by Black-76.")] = False,
    vs: Vs = None,
    explain: Explain = False,
) -> Response:
    """The option chain as it was known at an instant; 404 names the nearest snapshots.

    Only a snapshot that is at most one period old answers.
    """

    def body(chain: InSlot[Row]) -> dict[str, Any]:
        return {"underlying": underlying, "options": _rows(underlying, chain, greeks=greeks)}

    def before(then: datetime) -> dict[str, Any]:
        chain = _only(_chain(served, underlying, then), expiry)
        return of_snapshot(chain, body(chain))

    found = _of_expiry(_chain(served, underlying, at), expiry)
    told = body(found) | compared(at or found.ts, vs, before)
    return answer(request, told, explained.GREEKS if greeks else (), explain=explain, found=found)


@router.get("/smile", response_model=SmilesAt, responses=NO_SNAPSHOT)
def get_smile(
    request: Request,
    served: OfServer,
    *,
    underlying: Underlying,
    at: At = None,
    expiry: Expiry = None,
    vs: Vs = None,
    explain: Explain = False,
) -> Response:
    """The smile of each expiry, or of one, as it was known at an instant; 404 names the nearest snapshots.

    Nothing is extrapolated: a number beyond the last strikes is null.
    """

    def body(chain: InSlot[Row]) -> dict[str, Any]:
        smiles = smiles_of(chain)
        told = [_told(*both) for both in zip(smiles, terms_of(smiles), strict=True)]
        return {"underlying": underlying, "smiles": [each for each in told if expiry in {None, each["expiry"]}]}

    def before(then: datetime) -> dict[str, Any]:
        chain = _chain(served, underlying, then)
        return of_snapshot(chain, body(chain))

    whole = _chain(served, underlying, at)
    found = _of_expiry(whole, expiry)
    told = body(whole) | compared(at or whole.ts, vs, before)
    return answer(request, told, (*explained.SMILE, *explained.TERMS), explain=explain, found=found)


@router.get("/interest", response_model=InterestAsOf, responses=NO_SNAPSHOT)
def get_interest(
    request: Request,
    served: OfServer,
    *,
    underlying: Underlying,
    at: At = None,
    expiry: Expiry = None,
    vs: Vs = None,
    explain: Explain = False,
) -> Response:
    """Open interest, volume and gamma by expiry and strike, as known at an instant; 404 names the nearest snapshots.

    Volume is that of the 24 h before the snapshot: the sum of several snapshots has no meaning.
    """

    def body(chain: InSlot[Row]) -> dict[str, Any]:
        held = [_held(its, chain.index_price) for its in interest_of(chain, greeks_of(chain))]
        return {"underlying": underlying, "expiries": held}

    def before(then: datetime) -> dict[str, Any]:
        chain = _only(_chain(served, underlying, then), expiry)
        return of_snapshot(chain, body(chain))

    found = _of_expiry(_chain(served, underlying, at), expiry)
    told = body(found) | compared(at or found.ts, vs, before)
    return answer(request, told, explained.INTEREST, explain=explain, found=found)


@router.get("/history", response_model=HistoryOver)
def get_history(
    request: Request,
    served: OfServer,
    time: Asked,
    *,
    instrument: Annotated[str, Query(description="The option.", examples=["BTC-25DEC26-90000-C"])],
    explain: Explain = False,
) -> Response:
    """What was recorded of an option from start to before end, ascending, at most 10,000 snapshots.

    An option that has expired is answered too, with what it paid.
    """
    option = _option(instrument)

    def read(cursor: Cursor) -> list[tuple[list[tuple[Any, ...]], Settlement | None]]:
        require_few(count_of_contract(cursor, option, *time), "snapshots")
        return [(contract(cursor, option, *time), settlement(cursor, option, time.end - EACH))]

    names = ("ts", *Row._fields[3:])
    found = ask_rows(served, "the underlying of instrument", option.underlying, OPTIONS, read)
    its, paid = found[0] if found else ([], None)
    rows = [dict(zip(names, row, strict=True)) for row in its]
    settled = None if paid is None else paid._asdict()
    body = {"instrument_name": option_name(option), **time._asdict(), "settlement": settled, "rows": rows}
    return answer(request, body, explained.SETTLEMENT, explain=explain)


@router.get("/surfaces", response_model=SurfacesOver)
def get_surfaces(
    request: Request,
    served: OfServer,
    time: Asked,
    interval: Interval,
    *,
    underlying: Underlying,
    explain: Explain = False,
) -> Response:
    """The constant maturities of each chain from start to before end, ascending, at most 10,000.

    With an interval only its last chain counts. Nothing is extrapolated: a number beyond the last expiries or strikes
    is null.
    """

    def read(cursor: Cursor) -> list[tuple[Any, ...]]:
        require_few(count_between(cursor, OPTIONS.feed(underlying), *time, interval), "snapshots", OR_COARSER)
        return surfaces(cursor, underlying, *time, interval)

    names = SURFACES.column_names[1:]
    found = ask_rows(served, "underlying", underlying, OPTIONS, read)
    rows = [dict(zip(names, row, strict=True)) for row in found]
    return answer(
        request, {"underlying": underlying, **time._asdict(), "rows": rows}, explained.SURFACE, explain=explain
    )


def _chain(served: Served, underlying: str, at: datetime | None) -> InSlot[Row]:
    """The chain at an instant."""
    return as_of(
        served, "underlying", underlying, OPTIONS, at, lambda cursor, instant: chain_at(cursor, underlying, instant)
    )


def _only(chain: InSlot[Row], expiry: datetime | None) -> InSlot[Row]:
    """A chain with the options of one expiry alone; with all of them without one."""
    return chain if expiry is None else replace(chain, rows=tuple(row for row in chain.rows if row.expiry == expiry))


def _of_expiry(chain: InSlot[Row], expiry: datetime | None) -> InSlot[Row]:
    """The same, but 422 if the chain has no option of the expiry."""
    found = _only(chain, expiry)
    if expiry is not None and not found.rows:
        listed = sorted({f"{row.expiry:%Y-%m-%d}" for row in chain.rows})
        allowed = f"must be one of {', '.join(listed)}" if listed else "the snapshot has no options"
        raise HTTPException(422, f"expiry = {expiry:%Y-%m-%d}: {allowed}")
    return found


def _option(name: str) -> Option:
    try:
        return option_of(name)
    except ValueError as error:
        allowed = "must be the name of an option, such as BTC-25DEC26-90000-C"
        raise HTTPException(422, f"instrument = {shortened(name)}: {allowed}") from error


def _rows(underlying: str, chain: InSlot[Row], *, greeks: bool) -> list[dict[str, Any]]:
    """The options of a chain by their names, with their greeks if these are asked for."""
    rows = [_named(underlying, row) for row in chain.rows]
    if greeks:
        for row, its in zip(rows, greeks_of(chain), strict=True):
            row.update(its._asdict() if its else dict.fromkeys(Greeks._fields))
    return rows


def _named(underlying: str, row: Row) -> dict[str, Any]:
    return {"instrument_name": option_name(Option(underlying, *row[:3])), **row._asdict()}


def _told(its: SmileAt, term: Term) -> dict[str, Any]:
    return {
        **its.smile._asdict(),
        "years": its.years,
        **{name: getattr(term, name) for name in ("forward_iv", "expected_move", "straddle")},
        "by_delta": [{"delta": delta, "iv": iv} for delta, iv in zip(DELTAS, ivs_by_delta(its), strict=True)],
        "points": [point._asdict() for point in its.points],
    }


def _held(its: InterestAt, index_price: float | None) -> dict[str, Any]:
    sums = {name: its.total(name) for name in AtStrike._fields[1:]}
    held = its.total("call_oi", "put_oi")
    return {
        "expiry": its.expiry,
        **sums,
        "notional": None if held is None or index_price is None else held * index_price,
        "put_call_oi": put_call_ratio(sums["put_oi"], sums["call_oi"]),
        "put_call_volume": put_call_ratio(sums["put_volume"], sums["call_volume"]),
        "strikes": [each._asdict() for each in its.strikes],
    }
