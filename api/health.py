"""/health: how the recording goes."""

from functools import partial
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from store.health.status import health

from .access import is_stranger
from .served import OfServer, Served

router = APIRouter(tags=["health"])

Status = Literal["ok", "stale", "empty", "failed"]
_STATUS = Field(description="Of the newest ticks of each configured index.")


class IndexHealth(BaseModel):
    """What is stored of an index, and how old its newest tick is."""

    ticks: int
    first: str
    last: str
    price: float
    age_s: float
    source: str


class FeedHealth(BaseModel):
    """When the newest reply of a feed came, and whether it is fresh for the feed's period."""

    last: str | None
    age_s: float | None
    state: Literal["ok", "stale", "empty", "loading", "late"]
    reason: str | None = Field(default=None, description="Of a log that is late: why.")


class CheckHealth(BaseModel):
    """The newest result of a self-check of the market; `value` and `warn_above` are fractions or points."""

    check: str
    feed: str
    state: Literal["ok", "note", "warn"]
    since: str
    last: str
    age_s: float
    value: float
    warn_above: float
    words: str


class LakeHealth(BaseModel):
    """How far the file is shared by its lake."""

    state: Literal["ok", "lagging", "never"]
    shared_to: str | None = Field(
        description="All that was recorded before is in the lake; null before the first time."
    )
    lag_s: float | None
    rows: int = Field(description="How many the last publication brought.")
    conflicts: int = Field(description="Transactions that were redone because another recorder published first.")
    trouble: str = Field(description="Why the last publication failed; empty if it did not.")
    words: str


class Health(BaseModel):
    """Every part that works and every part that doesn't; instants as ISO 8601 in UTC, ages in seconds."""

    status: Status = _STATUS
    version: str
    now: str
    database: dict[str, Any] = Field(description="The file, its size, and what is wrong with it.")
    poller: dict[str, Any] = Field(description="The recorder, in facts and in words.")
    indexes: dict[str, IndexHealth]
    feeds: dict[str, FeedHealth] = Field(description="The feeds that the newest recorder was to record.")
    checks: list[CheckHealth] = Field(description="The self-checks of the market; empty without a market.")
    lake: LakeHealth | None = Field(description="Of a file that is to be shared; null where TICKWELL_LAKE is not set.")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class IndexHealthForAll(_Strict):
    """How old the newest tick of an index is, in seconds."""

    age_s: float


class PollerHealthForAll(_Strict):
    """What a health check must know of the recorder."""

    starting: bool = Field(description="The recorder just started, and its first slot is still to come.")


class HealthForAll(_Strict):
    """What a stranger gets where readers sign in or programs send a token."""

    status: Status = _STATUS
    poller: PollerHealthForAll
    indexes: dict[str, IndexHealthForAll]


@router.get(
    "/health",
    response_model=Health | HealthForAll,
    responses={503: {"model": Health | HealthForAll, "description": "The newest ticks are stale or missing."}},
)
async def get_health(request: Request, served: OfServer) -> JSONResponse:
    """How the recording goes, at most a second old; 503 unless the newest ticks are fresh.

    Where the API is closed, a request without the token gets only the status and the ages.
    """
    report = await served.health.get(partial(_read, served))
    shown = _for_all(report) if is_stranger(request.headers, served.settings) else report
    return JSONResponse(shown, status_code=200 if report["status"] == "ok" else 503)


def _read(served: Served) -> dict[str, Any]:
    return health(served.database, served.settings, served.now())


def _for_all(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "status": report["status"],
        "poller": {"starting": report["poller"]["starting"]},
        "indexes": {name: {"age_s": index["age_s"]} for name, index in report["indexes"].items()},
    }
