"""/health: how recording goes."""

from typing import Any, Literal

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from store import utc_now
from store.status import health

from .served import OfServer

router = APIRouter(tags=["health"])


class IndexHealth(BaseModel):
    """What is stored of an index, and how old its newest tick is."""

    ticks: int
    first: str
    last: str
    price: float
    age_s: float
    source: str


class Health(BaseModel):
    """Everything that works and everything that doesn't; instants as ISO 8601 in UTC, ages in seconds."""

    status: Literal["ok", "stale", "empty", "failed"] = Field(description="Of the newest ticks of what is configured.")
    version: str
    now: str
    database: dict[str, Any] = Field(description="The file, its size, and what is wrong with it.")
    poller: dict[str, Any] = Field(description="The recorder, in facts and in words.")
    indexes: dict[str, IndexHealth]


@router.get(
    "/health",
    response_model=Health,
    responses={503: {"model": Health, "description": "The newest ticks are not fresh, or there are none."}},
)
def get_health(served: OfServer) -> JSONResponse:
    """How recording goes; 503 unless the newest ticks are fresh."""
    report = health(served.database, served.settings, utc_now())
    return JSONResponse(report, status_code=200 if report["status"] == "ok" else 503)
