"""Fills a file with history, like a recorder."""

from datetime import datetime, timedelta
from pathlib import Path

from poller.alerts.judging import EXAMPLE
from poller.simulator.truth.prices import price
from store.alerts import events
from store.alerts.events import Delivery
from store.alerts.in_force import put_in_force
from store.alerts.rules.rule_file import load_rules
from store.file.database import Cursor, Database
from store.instants import DAY, MINUTE
from store.ledger import runs
from store.market import chains
from store.models import Run, Tick
from store.prices import averages, ticks
from store.prices.candles import floor
from tests.support.carry import record_funding, record_futures
from tests.support.events import alert, note
from tests.support.market import chain
from tests.support.volatility import record_dvol


def with_history(file: Path, end: datetime, index_names: tuple[str, ...] = ("btc_usd", "eth_usd")) -> None:
    """Fill a file with a year up to `end`: averages by day and minute, five minutes of ticks, alerts, a market."""
    database = Database(file)
    database.migrate()
    end = end.replace(microsecond=0)
    with database.write() as cursor:
        for name in index_names:
            observe(cursor, name, end - timedelta(minutes=5), seconds=300)
            average(cursor, name, end - timedelta(days=1), minutes=1435)
            days = [end - timedelta(days=day) for day in range(365, 1, -1)]
            averages.append(cursor, name, [(day, price(name, day)) for day in days], 86_400, "simulator")
        put_in_force(cursor, load_rules(EXAMPLE, index_names, leave_out=True), "", end)
    with_alerts(database, end - timedelta(minutes=2), index_names[0])
    with_market(database, end)


def with_market(database: Database, end: datetime) -> None:
    """Store a year of DVOL by day, an hour of futures, 200 hours of funding, and a chain. `end` is a whole second."""
    with database.write() as cursor:
        chains.append(cursor, [chain("BTC", end - timedelta(seconds=end.second % 2))])
    record_dvol(database, floor(end, DAY) - timedelta(days=365), floor(end, DAY), DAY)
    record_futures(database, *(floor(end, MINUTE) - number * 10 * MINUTE for number in range(6)))
    record_funding(database, end, 200)


def with_alerts(database: Database, at: datetime, index_name: str) -> None:
    """One alert of each severity at the same time: one was sent, one could not be sent, and one waits."""
    now = price(index_name, at)
    told, failed, waits = (
        alert(f"{severity} at {now:.2f}", ["ntfy"], severity=severity, index_name=index_name, at=at, price=now)
        for severity in ("info", "warning", "critical")
    )
    note(database, told, failed, waits)
    with database.write() as cursor:
        events.note_delivery(cursor, told.id, Delivery("ntfy", "sent", at, "", 1))
        events.note_delivery(cursor, failed.id, Delivery("ntfy", "failed", at, "Connection refused", 1))


def observe(cursor: Cursor, index_name: str, start: datetime, seconds: int) -> None:
    """Store a run and a tick for each of its seconds."""
    run = Run(start, {index_name: 1}, "0")
    runs.note(cursor, run)
    instants = [start + timedelta(seconds=second) for second in range(seconds)]
    ticks.append(cursor, [Tick(index_name, ts, price(index_name, ts), "simulator", ts) for ts in instants])


def average(cursor: Cursor, index_name: str, start: datetime, minutes: int) -> None:
    """Store an average for each minute, like the exchange's history."""
    instants = [start + timedelta(minutes=minute) for minute in range(minutes)]
    averages.append(cursor, index_name, [(ts, price(index_name, ts)) for ts in instants], 60, "simulator")
