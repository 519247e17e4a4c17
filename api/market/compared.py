"""An answer as of an instant with the same one of some days before, as the pages compare them."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Query

from store.instants import DAY

Vs = Annotated[
    Literal["1d", "7d", "30d"] | None,
    Query(description="With the answer of 1, 7 or 30 days before as `compared`; with the reason if there is none."),
]


def compared(shown: datetime, vs: str | None, answer_at: Callable[[datetime], dict[str, Any]]) -> dict[str, Any]:
    """The part of an answer that has the earlier answer; nothing if it was not asked for.

    Where nothing was recorded then, the part says why, as a 404 does.

    Args:
        shown: the instant that the days count from.
        vs: such as "7d".
        answer_at: makes the answer as of an instant.
    """
    if vs is None:
        return {}
    try:
        return {"compared": answer_at(shown - int(vs.removesuffix("d")) * DAY)}
    except HTTPException as absent:  # what is asked for was answered just now: only the snapshot may be missing
        return {"compared": absent.detail}
