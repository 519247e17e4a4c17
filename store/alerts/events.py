"""Events of rules, noted before any message is sent, and the outcomes of the messages. All tables are append-only."""

import math
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from duckdb import DuckDBPyConnection

from store.alerts.rules.rules import Severity
from store.file.rows import insert
from store.models import from_column, to_column

Kind = Literal["fired", "over"]
Outcome = Literal["sent", "failed", "given up"]

_COLUMNS = """
    id,
    rule,
    condition,
    index_name,
    event,
    severity,
    happened_at,
    noted_at,
    price,
    value,
    threshold,
    text,
    targets,
    send_after
"""

_STANDINGS = """
SELECT
    rule,
    condition,
    index_name,
    arg_max(event, rowid),
    max(happened_at),
    max(happened_at) FILTER (WHERE event = 'fired')
FROM alert_events
GROUP BY ALL
"""

_PENDING = f"""
SELECT target, tries, {_COLUMNS}
FROM (
    SELECT *, unnest(targets) AS target
    FROM alert_events
    WHERE len(targets) > 0
)
LEFT JOIN (
    SELECT
        id AS told,
        target AS whom,
        count(*) AS tries,
        bool_or(outcome <> 'failed') AS done
    FROM alert_deliveries
    GROUP BY ALL
) ON told = id AND whom = target
WHERE NOT coalesce(done, false)
ORDER BY coalesce(tries, 0), send_after, happened_at
"""  # noqa: S608 the columns are the constant above

_DELIVERY = """
INSERT INTO alert_deliveries (id, target, outcome, tried_at, detail)
VALUES ($id, $target, $outcome, $tried_at, $detail)
"""

_FIRED = f"""
SELECT {_COLUMNS}
FROM alert_events
WHERE event = 'fired'
  AND happened_at >= $start
  AND happened_at < $end
  AND ($index_names IS NULL OR list_contains($index_names::VARCHAR[], index_name))
ORDER BY happened_at DESC, rowid DESC
LIMIT $limit
"""  # noqa: S608 the columns are the constant above

_NEWEST = f"""
SELECT {_COLUMNS}
FROM alert_events
WHERE (event = 'fired' OR len(targets) > 0)
  AND ($index_name IS NULL OR index_name = $index_name)
  AND ($severity IS NULL OR severity = $severity)
  AND ($acknowledged OR id NOT IN (SELECT id FROM alert_acknowledgements))
ORDER BY happened_at DESC, rowid DESC
LIMIT $limit
OFFSET $offset
"""  # noqa: S608 the columns are the constant above

_DELIVERIES = """
SELECT id, target, arg_max(outcome, rowid), max(tried_at), arg_max(detail, rowid), count(*)
FROM alert_deliveries
WHERE list_contains($ids, id)
GROUP BY id, target
ORDER BY id, target
"""

_ACKNOWLEDGEMENTS = """
SELECT id, min(acknowledged_at), arg_min(reader, rowid)
FROM alert_acknowledgements
WHERE list_contains($ids, id)
GROUP BY id
"""

_ACKNOWLEDGE = """
INSERT INTO alert_acknowledgements (id, acknowledged_at, reader)
SELECT id, $acknowledged_at, $reader
FROM alert_events
WHERE id = $id
  AND id NOT IN (SELECT id FROM alert_acknowledgements)
"""


@dataclass(frozen=True, slots=True)
class Event:
    """A rule fired, or the condition that it fired for is over.

    Attributes:
        rule, condition: the rule's name, and its condition in words.
        index_name: of which index, or of which feed of a market; empty if it concerns all of them.
        event: "fired", or "over" when the rule may fire again.
        severity: of the rule.
        at: exchange time of the tick, the slot or the value, or when the gap was healed or given up.
        price: the newest price then, or the number of a market; NaN without one.
        value, threshold: in the unit of the rule; NaN if the rule has none.
        text: what happened, in one line.
        targets: the names of the targets that get a message.
        send_after: no message is sent before.
        noted_at: when it was noted, by the local clock.
        id: unique.
    """

    rule: str
    condition: str
    index_name: str
    event: Kind
    severity: Severity
    at: datetime
    price: float
    value: float
    threshold: float
    text: str
    targets: tuple[str, ...]
    send_after: datetime
    noted_at: datetime
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


@dataclass(frozen=True, slots=True)
class Standing:
    """The last state of a condition: its last event, the time of that event, and when it last fired, if ever."""

    event: Kind
    at: datetime
    fired_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pending:
    """An event that is still to be sent to a target, and the number of tries so far."""

    target: str
    tries: int
    event: Event


@dataclass(frozen=True, slots=True)
class Delivery:
    """The outcome of sending an event to one target: of the last try, its time, why it failed, and how many tries."""

    target: str
    outcome: Outcome
    at: datetime
    detail: str
    tries: int


@dataclass(frozen=True, slots=True)
class EventStatus:
    """An event with its deliveries so far, and the time and the reader of its acknowledgement, if there is one."""

    event: Event
    deliveries: tuple[Delivery, ...] = ()
    acknowledged_at: datetime | None = None
    reader: str = ""


def append(cursor: DuckDBPyConnection, events: Iterable[Event]) -> None:
    """Note events. Call it inside `Database.write`."""
    insert(cursor, "alert_events", _COLUMNS.replace(",", "").split(), map(_row, events))


def standings(cursor: DuckDBPyConnection) -> dict[tuple[str, str, str], Standing]:
    """The last state of each condition that had an event, by rule, condition and index."""
    return {
        (rule, condition, index_name): Standing(event, from_column(at), fired_at and from_column(fired_at))
        for rule, condition, index_name, event, at, fired_at in cursor.execute(_STANDINGS).fetchall()
    }


def pending(cursor: DuckDBPyConnection) -> list[Pending]:
    """The events still to be sent to each target: the least tried first, then the oldest. Some are in quiet hours."""
    return [Pending(target, tries or 0, _event(row)) for target, tries, *row in cursor.execute(_PENDING).fetchall()]


def note_delivery(cursor: DuckDBPyConnection, event_id: str, delivery: Delivery) -> None:
    """Note the outcome of one try. Call it inside `Database.write`."""
    cursor.execute(
        _DELIVERY,
        {
            "id": event_id,
            "target": delivery.target,
            "outcome": delivery.outcome,
            "tried_at": to_column(delivery.at),
            "detail": delivery.detail,
        },
    )


def fired(
    cursor: DuckDBPyConnection,
    start: datetime,
    end: datetime,
    *,
    index_names: Sequence[str] | None = None,
    limit: int,
) -> list[Event]:
    """The newest events in [start, end) at which a rule fired, descending; of some indexes or of all."""
    names = None if index_names is None else list(index_names)
    values: dict[str, Any] = {"start": to_column(start), "end": to_column(end), "index_names": names, "limit": limit}
    return [_event(row) for row in cursor.execute(_FIRED, values).fetchall()]


def newest(
    cursor: DuckDBPyConnection,
    *,
    index_name: str | None = None,
    severity: Severity | None = None,
    acknowledged: bool = True,
    limit: int,
    offset: int = 0,
) -> list[EventStatus]:
    """The newest events that people see, descending, with their deliveries and acknowledgements.

    Args:
        cursor: of a read lease.
        index_name: only events of this index, unless None.
        severity: only events of this severity, unless None.
        acknowledged: include events that a reader has acknowledged.
        limit: at most this many.
        offset: leave out this many of the newest.
    """
    values: dict[str, Any] = {
        "index_name": index_name,
        "severity": severity,
        "acknowledged": acknowledged,
        "limit": limit,
        "offset": offset,
    }
    return statuses(cursor, [_event(row) for row in cursor.execute(_NEWEST, values).fetchall()])


def statuses(cursor: DuckDBPyConnection, events: Sequence[Event]) -> list[EventStatus]:
    """The deliveries and acknowledgements of events, in the order of the events."""
    if not events:
        return []
    ids = {"ids": [event.id for event in events]}
    deliveries: dict[str, list[Delivery]] = {}
    for event_id, target, outcome, at, detail, tries in cursor.execute(_DELIVERIES, ids).fetchall():
        deliveries.setdefault(event_id, []).append(Delivery(target, outcome, from_column(at), detail, tries))
    seen = {
        event_id: (from_column(at), reader)
        for event_id, at, reader in cursor.execute(_ACKNOWLEDGEMENTS, ids).fetchall()
    }
    return [
        EventStatus(event, tuple(deliveries.get(event.id, ())), *seen.get(event.id, (None, ""))) for event in events
    ]


def acknowledge(cursor: DuckDBPyConnection, event_id: str, at: datetime, reader: str) -> None:
    """Note that a reader saw an event; only the first note counts. Call it inside `Database.write`."""
    cursor.execute(_ACKNOWLEDGE, {"id": event_id, "acknowledged_at": to_column(at), "reader": reader})


def _row(event: Event) -> list[Any]:
    return [
        event.id,
        event.rule,
        event.condition,
        event.index_name,
        event.event,
        event.severity,
        to_column(event.at),
        to_column(event.noted_at),
        _or_none(event.price),
        _or_none(event.value),
        _or_none(event.threshold),
        event.text,
        list(event.targets),
        to_column(event.send_after),
    ]


def _event(row: Sequence[Any]) -> Event:
    event_id, rule, condition, index_name, event, severity, at, noted_at, *numbers, text, targets, send_after = row
    price, value, threshold = (math.nan if number is None else number for number in numbers)
    return Event(
        rule,
        condition,
        index_name,
        event,
        severity,
        from_column(at),
        price,
        value,
        threshold,
        text,
        tuple(targets),
        from_column(send_after),
        from_column(noted_at),
        event_id,
    )


def _or_none(number: float) -> float | None:
    return None if math.isnan(number) else number
