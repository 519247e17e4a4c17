"""What alerts cost: to judge a slot by many rules, and to replay rules over a year."""

import shutil
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from poller.alerts.judging import Alerts
from poller.journal.journal import Journal
from settings import Settings
from store.alerts.replay.replay import replay
from store.alerts.rules.kinds import AnyRule
from store.file.database import Database
from store.models import Tick, from_column, to_column, utc_now
from tests.bench.long_history import history
from tests.bench.row import SMALL, TICKS, Row, medians_ms

NAMES = ("btc_usd", "eth_usd")
RULES = 100
REPLAYED = 20
ROUNDS = 40 if SMALL else 300


def mixed(count: int) -> list[dict[str, Any]]:
    """Rules of all kinds, each with numbers of its own, as people would have them."""
    kinds: list[dict[str, Any]] = [
        {"kind": "move", "percent": 1, "within": "15m"},
        {"kind": "move", "percent": 3, "within": "1h"},
        {"kind": "move", "amount": 2500, "within": "4h"},
        {"kind": "move", "percent": 5, "within": "24h"},
        {"kind": "level", "price": 100_000, "indexes": ["btc_usd"]},
        {"kind": "range_break", "hours": 4},
        {"kind": "range_break", "hours": 24},
        {"kind": "volatility", "above": 60, "over": "1h"},
        {"kind": "stale", "slots": 5},
        {"kind": "coverage", "below": 95},
    ]
    rules = []
    for number in range(count):
        rule = dict(kinds[number % len(kinds)])
        for field in ("percent", "amount", "price", "hours", "above"):
            if field in rule:
                rule[field] = round(rule[field] * (1 + number // len(kinds) / 20), 3)
        rules.append({**rule, "name": f"rule {number}"})
    return rules


def as_toml(rules: list[dict[str, Any]]) -> str:
    lines = [["[[rule]]", *(f"{field} = {value!r}" for field, value in rule.items())] for rule in rules]
    return "\n".join(line for part in lines for line in part)


def judging(folder: Path) -> Iterator[Row]:
    """A slot's ticks through a journal without rules, and through one with many, at the end of a long history."""
    path = folder / "judged.duckdb"
    shutil.copy(history(TICKS).path, path)
    file = folder / "alerts.toml"
    file.write_text(as_toml(mixed(RULES)))
    database = Database(path)
    settings = Settings(database=path, poll_seconds=1, indexes=NAMES, alerts_file=file)
    begin = utc_now().replace(microsecond=0)
    journals = Journal(database), Journal(database, alerts=Alerts(settings, database, dict.fromkeys(NAMES, 1)))

    def write(which: int, number: int) -> None:
        slot = begin + timedelta(seconds=2 * number + which)
        ts = slot + timedelta(milliseconds=20)
        price = 100_000.0 + number % 7
        journals[which].add(slot, [Tick(name, ts, price, "simulator", ts) for name in NAMES])
        journals[which].flush(5)

    with database.hold():
        without, judged = medians_ms(lambda number: write(0, number), lambda number: write(1, number), rounds=ROUNDS)
    note = f"{RULES} rules: {judged - without:.2f} ms; a slot without: {without:.2f} ms"
    yield Row("judging, to the slot's append", (judged - without) / without, 1, "×", note)


def replaying() -> Iterator[Row]:
    """What rules would have come to in a year."""
    database = history(TICKS)
    rules = TypeAdapter(list[AnyRule]).validate_python(mixed(REPLAYED))
    with database.read() as cursor:
        ((first, last),) = cursor.execute("SELECT min(ts), max(ts) FROM ticks WHERE resolution_s = 0").fetchall()
    started = time.perf_counter()
    found = replay(database, rules, NAMES, from_column(first), from_column(last), utc_now())
    seconds = time.perf_counter() - started
    yield Row(f"replay of {REPLAYED} rules", seconds, None, "s", f"{len(found.events)} events in {found.days} days")


_A_YEAR_OF_CHAINS = """
INSERT INTO surfaces (underlying, ts, iv_30d, rr25_30d, call_oi, put_oi, method)
SELECT 'BTC', $start + to_seconds(300 * i), 45 + 10 * sin(i / 900), 3 * sin(i / 500), 900, 800 + 100 * sin(i / 50), 1
FROM range(105_120) AS each(i)
"""

MARKET_RULES: list[dict[str, Any]] = [
    {"name": "iv", "kind": "iv", "tenor": "30d", "above": 50},
    {"name": "iv moves", "kind": "iv", "tenor": "30d", "change": 3, "within": "1d"},
    {"name": "skew", "kind": "skew", "tenor": "30d", "below": -2},
]


def replaying_a_market(folder: Path) -> Iterator[Row]:
    """What rules of a market would have come to in a year of chains, five minutes apart."""
    database = Database(folder / "market.duckdb")
    database.migrate()
    end = utc_now()
    start = end - timedelta(days=365)
    with database.write() as cursor:
        cursor.execute(_A_YEAR_OF_CHAINS, {"start": to_column(start)})
    rules = TypeAdapter(list[AnyRule]).validate_python(MARKET_RULES)
    started = time.perf_counter()
    found = replay(database, rules, ["options/BTC"], start, end, end)
    seconds = time.perf_counter() - started
    note = f"{len(found.events)} events in {found.days_observed} days"
    yield Row(f"replay of {len(rules)} rules of a market", seconds, None, "s", note)
