"""/metrics: what Prometheus scrapes."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from store.health.metrics import CONTENT_TYPE, as_text

from .served import OfServer

router = APIRouter(tags=["health"])


@router.get("/metrics", response_class=PlainTextResponse)
def get_metrics(served: OfServer) -> PlainTextResponse:
    """All metrics as Prometheus text; 200 even when the database can't be read, which has a metric of its own."""
    return PlainTextResponse(as_text(served.database, served.settings, served.now()), media_type=CONTENT_TYPE)
