"""/alerts: what rules fired."""

import math
from datetime import datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, Field

from api.errors import BAD_REQUEST, UNAVAILABLE, Problem
from api.market.asked import MOST_ROWS, Asked
from api.market.told import Over, answer
from api.replies import NOT_MODIFIED
from api.served import OfServer
from store.alerts.events import Event, fired
from store.errors import NoDatabaseError

NOT_HERE: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "This server reads a lake."}}

router = APIRouter(tags=["alerts"], responses={**NOT_MODIFIED, **BAD_REQUEST, **NOT_HERE, **UNAVAILABLE})


class Alert(BaseModel):
    """A rule fired."""

    at: datetime = Field(description="Exchange time of the tick, the slot or the value, or when the gap changed.")
    noted_at: datetime = Field(description="When the recorder noted it, by its clock.")
    feed: str = Field(description="An index or a feed of a market; empty if it concerns all of them.")
    rule: str
    condition: str = Field(description="The condition of the rule, in words.")
    severity: str = Field(description="critical, warning or info.")
    value: float | None = Field(description="In the unit of the rule; null without one.")
    threshold: float | None = Field(description="Likewise.")
    price: float | None = Field(description="The newest price then, or the number of a market; null without one.")
    text: str = Field(description="What happened, in one line.")


class Alerts(Over):
    """The alerts of a time, the newest first."""

    alerts: list[Alert]


@router.get("/alerts", response_model=Alerts)
def get_alerts(request: Request, served: OfServer, time: Asked) -> Response:
    """What rules fired from start to before end, the newest first. At most 10,000 alerts.

    A server that reads a lake answers 404: alerts stay with each recorder.
    """
    if served.settings.poller == "lake":
        raise HTTPException(404, "alerts stay with each recorder: ask a server beside one, as this one reads a lake")
    try:
        with served.database.read() as cursor:
            found = fired(cursor, *time, limit=MOST_ROWS + 1)
    except NoDatabaseError:
        found = []
    if len(found) > MOST_ROWS:
        raise HTTPException(
            422, f"start, end: more than {MOST_ROWS:,} alerts lie between them; ask for a shorter range"
        )
    return answer(request, {**time._asdict(), "alerts": [_alert(each) for each in found]}, (), explain=False)


def _alert(event: Event) -> dict[str, Any]:
    return {
        "at": event.at,
        "noted_at": event.noted_at,
        "feed": event.index_name,
        "rule": event.rule,
        "condition": event.condition,
        "severity": event.severity,
        "value": _or_null(event.value),
        "threshold": _or_null(event.threshold),
        "price": _or_null(event.price),
        "text": event.text,
    }


def _or_null(number: float) -> float | None:
    return None if math.isnan(number) else number
