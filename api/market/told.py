"""What the replies of the market's routes have in common: their rows, their snapshot, and how numbers are computed."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field, create_model

from api.replies import json_reply
from store.instants import in_iso
from store.kinds import Column, Kind
from store.market.reads.explained import Formula
from store.market.reads.snapshots import InSlot, Received

_TYPES: dict[str, Any] = {"VARCHAR": str, "TIMESTAMP": datetime, "DOUBLE": float, "INTEGER": int}
_ALWAYS = {"VARCHAR", "INTEGER"}


class SnapshotRow(BaseModel):
    """A reply of the exchange that was stored."""

    ts: datetime = Field(description="The exchange time of all its rows.")
    received_at: datetime = Field(description="When it was received, by the local clock.")
    source: str = Field(description="live, import or simulator.")
    rows: int = Field(description="How many rows it has, also if the answer has fewer.")
    index_price: float | None = Field(description="The price of the index, in USD.")
    rejected: int = Field(description="How many rows of it could not be read, and are not stored.")


class SnapshotFacts(SnapshotRow):
    """The reply of the exchange that an answer is made of."""

    feed: str = Field(examples=["options/BTC"])
    slot: datetime = Field(description="The slot that it was recorded for.")
    age_s: float = Field(description="How old it was at the instant that was asked for, in seconds.")


class Computed(BaseModel):
    """How a number is computed."""

    number: str = Field(description="Its name; several that are computed alike are separated by commas.")
    formula: str = Field(description="docs/market-api.md explains its letters.")
    inputs: list[str] = Field(description="The columns that it is made of, as table.column.")
    unit: str
    source: str = Field(description="Where the formula is from.")
    method: int = Field(description="The version of the formula.")


class Explanation(BaseModel):
    """How the derived numbers of an answer are computed. All other numbers are the exchange's."""

    numbers: list[Computed]
    snapshot: SnapshotFacts | None = Field(description="What the inputs are of; null for an answer over a time.")


class Told(BaseModel):
    """What each answer may have."""

    explain: Explanation | None = Field(default=None, description="With explain=true.")


class AsOf(Told):
    """What each answer as of an instant has."""

    at: datetime = Field(description="The instant of the answer.")
    snapshot: SnapshotFacts


class Over(Told):
    """What each answer over a time has."""

    start: datetime
    end: datetime


def row_model(name: str, doc: str, kind: Kind, columns: Iterable[Column], **more: Any) -> type[BaseModel]:
    """A model of rows with columns of a kind, each described by its unit, and with more fields."""

    def field(column: Column) -> tuple[Any, Any]:
        always = column.name in (*kind.key, kind.time) or column.type in _ALWAYS
        its = _TYPES[column.type]
        return its if always else its | None, Field(description=column.unit)

    fields: dict[str, Any] = {column.name: field(column) for column in columns}
    model: type[BaseModel] = create_model(name, __doc__=doc, **fields, **more)
    return model


def answer(
    request: Request,
    body: dict[str, Any],
    formulas: Iterable[Formula],
    *,
    explain: bool,
    found: InSlot[Any] | None = None,
) -> Response:
    """The reply with a body, perhaps of a snapshot, and how its numbers are computed if that was asked for."""
    if found is not None:
        body = of_snapshot(found, body)
    if explain:
        numbers = [each._asdict() for each in formulas]
        body = {**body, "explain": {"numbers": numbers, "snapshot": body.get("snapshot")}}
    return json_reply(request, json.dumps(body, default=in_iso, ensure_ascii=False, separators=(",", ":")).encode())


def of_snapshot(found: InSlot[Any], body: dict[str, Any]) -> dict[str, Any]:
    """What is told of a snapshot, with the instant of the answer and which snapshot it is."""
    return {"at": found.at, "snapshot": _facts(found), **body}


def snapshot_row(snapshot: Received) -> dict[str, Any]:
    """A snapshot without its rows, as `SnapshotRow`."""
    return {
        "ts": snapshot.ts,
        "received_at": snapshot.received_at,
        "source": snapshot.source,
        "rows": snapshot.row_count,
        "index_price": snapshot.index_price,
        "rejected": snapshot.rejected,
    }


def _facts(found: InSlot[Any]) -> dict[str, Any]:
    age_s = found.age.total_seconds()
    return {"feed": found.feed, "slot": found.slot, **snapshot_row(found), "age_s": age_s}
