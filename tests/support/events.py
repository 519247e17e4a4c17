"""Events of alerts for tests in which their cause does not matter, and their deliveries."""

from collections.abc import Sequence
from typing import Any

from store.alerts import events
from store.alerts.events import Event
from store.file.database import Database
from store.models import utc_now

CONDITION = "moves 3 % within 15 min"


def alert(text: str = "BTC / USD fell 3.2 %", targets: Sequence[str] = ("json",), **more: Any) -> Event:
    """An event of a rule that fired just now, to be sent at once."""
    now = utc_now()
    fields: dict[str, Any] = {
        "rule": "Sharp move",
        "condition": CONDITION,
        "index_name": "btc_usd",
        "event": "fired",
        "severity": "critical",
        "at": now,
        "price": 100.0,
        "value": -3.2,
        "threshold": 3.0,
        "send_after": now,
        "noted_at": now,
    }
    return Event(text=text, targets=tuple(targets), **(fields | more))


def note(database: Database, *those: Event) -> None:
    """Note events like the recorder."""
    with database.write() as cursor:
        events.append(cursor, those)


def deliveries(database: Database) -> list[tuple[str, str, str, str]]:
    """The text, target, outcome and detail of each try, in order."""
    with database.read() as cursor:
        found = cursor.execute(
            """
            SELECT e.text, d.target, d.outcome, d.detail
            FROM alert_deliveries AS d
            JOIN alert_events AS e USING (id)
            ORDER BY d.rowid
            """
        ).fetchall()
    return [tuple(row) for row in found]


def texts_sent(database: Database) -> list[str]:
    """The texts of events with a delivery noted as sent."""
    return [text for text, _, outcome, _ in deliveries(database) if outcome == "sent"]
