"""/export: ticks or candles as a file, made on request."""

import base64
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from starlette.types import Receive, Scope, Send

from store.errors import NoDatabaseError
from store.export.files import Export
from store.export.query import MEDIA_TYPES, Columns, ExportQuery, Format
from store.export.selection import of_series, other_feeds, series_of
from store.export.shared import shared_exports
from store.file.clock import AHEAD
from store.instants import EPOCH, in_iso
from store.prices.bars import SINGLE_TICKS
from store.prices.indexes import index_names
from store.words import shortened

from .errors import BAD_REQUEST, UNAVAILABLE, Problem
from .instants import INTERVALS, Instant, interval_of, require_order
from .market.asked import LAST, up_to
from .parts import Reader, part_of
from .replies import NOT_MODIFIED, has
from .served import TICKER, OfServer, Served, unknown

router = APIRouter(prefix="/export", tags=["export"], responses={**BAD_REQUEST, **UNAVAILABLE})


_TICKERS = Query(description=f"{TICKER} May be given repeatedly; if left out, all.", examples=[["btc_usd"]])
_SERIES = Query(
    description=(
        "The rows of markets instead of prices: options, futures, dvol, funding, deliveries, smiles or surfaces. "
        "`ticker` then names markets, such as BTC; `underlying`, `currency` and `instrument` mean the same."
    ),
    examples=["options"],
)
_START = Query(description="ISO 8601, UTC unless it says otherwise, or seconds or milliseconds; included.")
_END = Query(description="Likewise, excluded; now if left out.")
_INTERVAL = Query(
    description="The length of a candle; if left out, the file has ticks.", json_schema_extra={"enum": [*INTERVALS]}
)
_HEALED = Query(description="With or without the points from the exchange's charts.")
_COLUMNS = Query(description="Our own, or of options those of Tardis.")
_FORMAT = Query(description="CSV comes compressed, as .csv.gz.")


def _query(
    served: OfServer,
    *,
    ticker: Annotated[list[str] | None, _TICKERS] = None,
    series: Annotated[str | None, _SERIES] = None,
    start: Annotated[Instant | None, _START] = None,
    end: Annotated[Instant | None, _END] = None,
    at: Annotated[Instant | None, LAST] = None,
    interval: Annotated[str | None, _INTERVAL] = None,
    healed: Annotated[bool, _HEALED] = True,
    columns: Annotated[Columns, _COLUMNS] = "own",
    format: Annotated[Format, _FORMAT] = "parquet",  # noqa: A002 as clients name it
) -> ExportQuery:
    now = served.now()
    start, end = start or EPOCH, end or now + AHEAD
    require_order(start, end, now, ("start", "end"))
    if at is not None and series is None:
        raise HTTPException(422, f"at = {in_iso(at)}: goes with series; the range of prices ends with end")
    end = up_to((start, end), at, now)
    names = _names(served, ticker or [], series)
    length = SINGLE_TICKS if interval is None else interval_of(interval)
    query = ExportQuery(names, start, end, length, healed, format, columns)
    if query.refusal is not None:
        raise HTTPException(422, query.refusal)
    return query


def _names(served: Served, tickers: Sequence[str], series: str | None) -> tuple[str, ...]:
    """The named feeds. Without names, all feeds of the series; without a series, all indexes."""
    indexes, feeds = _known(served)
    known, start, all_of_it = [*indexes, *feeds], "", indexes
    if series is not None:
        kind, _, market = series.partition("/")
        start = f"{kind}/"
        known = all_of_it = [name for name in of_series(feeds, kind) if market in {"", name}]
        if not known:
            one_of = f"must be one of {', '.join(series_of(feeds))}" if feeds else "no rows of any series are stored"
            raise HTTPException(422, f"series = {shortened(series)}: {one_of}")
    for name in tickers:
        if name not in known:
            raise unknown("ticker", name, known)
    return tuple(f"{start}{name}" for name in tickers or all_of_it)


Asked = Annotated[ExportQuery, Depends(_query)]


class _File(FileResponse):
    """A file that answers HEAD with the headers alone: the app has turned HEAD into GET before."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__({**scope, "method": scope.get("asked_by", scope["method"])}, receive, send)


@router.get(
    "",
    response_class=FileResponse,
    responses={
        **NOT_MODIFIED,
        200: {"description": "The file.", "content": {media: {} for media in MEDIA_TYPES.values()}},
        206: {"description": "The part of the file that Range names."},
        412: {"model": Problem, "description": "The file that a reader without `end` began with is gone."},
        416: {"description": "The file has no such part."},
    },
)
def get_export(request: Request, served: OfServer, query: Asked) -> Response:
    """Ticks or candles as a file, sorted by time. The file is made on request; millions of rows take a while.

    The same request gets the same bytes, also in parts (Range). Without `start` the file begins with the first tick;
    without `end` it goes up to now. A reader that takes such a file in parts gets all parts of one file.
    """
    made = _begun(request, served, query) if query.end > served.now() else _made(served, query)
    tag = f'"{made.sha256}"'
    digest = base64.b64encode(bytes.fromhex(made.sha256)).decode()
    headers = {"etag": tag, "cache-control": "no-cache", "repr-digest": f"sha-256=:{digest}:"}
    if has(request, tag):
        return Response(status_code=304, headers=headers)
    return _File(made.path, media_type=MEDIA_TYPES[query.format], filename=made.query.file_name, headers=headers)


@router.get("/manifest", response_model=dict[str, Any])
def get_manifest(served: OfServer, query: Asked) -> JSONResponse:
    """What the file of /export holds: request, sources, coverage and gaps, rows, first and last time, its SHA-256."""
    return JSONResponse(_made(served, query).manifest)


def _begun(request: Request, served: Served, query: ExportQuery) -> Export:
    """The file of a query without an end: the one that this reader began with, or a new one."""
    reader, part = Reader.of(request, query), part_of(request)
    begun = served.begun.file(reader, part)
    if begun is not None:
        return begun
    if part == "later" and "if-range" not in request.headers:
        raise HTTPException(412, "the file that this part would be of is gone: read it anew, or give an end")
    return served.begun.begin(reader, part, _made(served, query))


def _made(served: Served, query: ExportQuery) -> Export:
    with _a_place(served):
        return shared_exports(served.database, served.settings.exports_limit_bytes).make(query)


@contextmanager
def _a_place(served: Served) -> Iterator[None]:
    if not served.exports.acquire(blocking=False):
        raise HTTPException(503, "other exports are being made: try again in a minute", headers={"retry-after": "60"})
    try:
        yield
    finally:
        served.exports.release()


def _known(served: Served) -> tuple[list[str], list[str]]:
    """The indexes, and the feeds with rows that are no ticks."""
    try:
        with served.database.read() as cursor:
            return index_names(cursor, served.settings.indexes), other_feeds(cursor)
    except NoDatabaseError:
        return list(served.settings.indexes), []
