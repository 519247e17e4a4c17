"""/market/snapshots: which snapshots of a feed there are, and which are missing and why."""

from datetime import datetime
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.errors import BAD_REQUEST, UNAVAILABLE
from api.replies import NOT_MODIFIED
from api.served import OfServer, ask_known
from store.file.database import Cursor
from store.kinds import FUTURES, OPTIONS
from store.ledger import arrivals
from store.ledger.gaps import ledger
from store.market.reads.snapshots import Received, count_between, received_between
from store.models import Gap
from store.prices.indexes import known_indexes

from .asked import Asked, Explain, require_few
from .told import Over, SnapshotRow, answer, snapshot_row

router = APIRouter(tags=["market"], responses={**NOT_MODIFIED, **BAD_REQUEST, **UNAVAILABLE})


class GapRow(BaseModel):
    """Slots that follow each other and brought nothing."""

    start: datetime = Field(description="The first slot.")
    end: datetime = Field(description="The slot after the last.")
    slots: int
    period_s: int = Field(description="The seconds between two slots.")
    cause: str
    detail: str = Field(description="The facts of the first slot.")
    state: str = Field(description="open while it may still be healed, healed, or unfillable.")
    healed_by: str | None


class SnapshotsOver(Over):
    """The snapshots of a feed in a time, and its gaps that touch the time."""

    series: str
    snapshots: list[SnapshotRow]
    gaps: list[GapRow]


class _Found(NamedTuple):
    snapshots: list[Received]
    gaps: list[Gap]


@router.get("/market/snapshots", response_model=SnapshotsOver)
def get_snapshots(
    request: Request,
    served: OfServer,
    time: Asked,
    *,
    series: Annotated[str, Query(description="A feed of snapshots.", examples=["options/BTC"])],
    explain: Explain = False,
) -> Response:
    """The snapshots of a feed from start to before end, without their rows, and which are missing and why.

    At most 10,000 snapshots. A gap may begin before start and go on after end.
    """
    configured = [kind.feed(market) for kind in (FUTURES, OPTIONS) for market in served.settings.markets]

    def all_names(cursor: Cursor) -> list[str]:
        return known_indexes(configured, list(arrivals.newest(cursor)))

    def read(cursor: Cursor) -> _Found:
        require_few(count_between(cursor, series, *time), "snapshots")
        return _Found(
            received_between(cursor, series, *time),
            ledger(cursor, *time, served.now(), {series}),
        )

    found = ask_known(served, "series", series, configured, all_names, read) or _Found([], [])
    body = {
        "series": series,
        **time._asdict(),
        "snapshots": [snapshot_row(each) for each in found.snapshots],
        "gaps": [_gap(each) for each in found.gaps],
    }
    return answer(request, body, (), explain=explain)


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "start": gap.start,
        "end": gap.end,
        "slots": gap.slots,
        "period_s": gap.poll_seconds,
        "cause": gap.cause,
        "detail": gap.detail,
        "state": gap.state,
        "healed_by": gap.healed_by,
    }
