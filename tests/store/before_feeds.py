"""The database of the last version before feeds; fixtures/README.md says what was recorded into it."""

import gzip
import json
import tarfile
from collections.abc import Iterator
from dataclasses import astuple
from datetime import timedelta
from pathlib import Path
from typing import Any

from settings import Settings
from store.alerts import events, healings
from store.file.database import Cursor, Database
from store.health.metrics import as_text
from store.health.status import health
from store.instants import EPOCH
from store.ledger import coverage, due, gaps, runs
from store.prices import bars, ticks
from tests.conftest import START

SCHEMA = 25
END = START + timedelta(hours=3)
NAMES = ("btc_usd", "eth_usd", "sol_usdc")

_FIXTURES = Path(__file__).parent / "fixtures"


def unpack(database_file: Path) -> None:
    """Put the file to a path."""
    database_file.write_bytes(gzip.decompress((_FIXTURES / "before-feeds.duckdb.gz").read_bytes()))


def unpack_backup(folder: Path) -> None:
    """Put a backup of it, made by the same version, into a folder."""
    with tarfile.open(_FIXTURES / "before-feeds-backup.tar.gz") as packed:
        packed.extractall(folder, filter="data")


def recorded_answers() -> dict[str, Any]:
    """The answers of the version that made the file, as JSON types."""
    found: dict[str, Any] = json.loads(gzip.decompress((_FIXTURES / "before-feeds.json.gz").read_bytes()))
    return found


def answers(database: Database) -> dict[str, Any]:
    """All answers that can be read from a file, as JSON types, without the names of columns and fields."""
    with database.read() as cursor:
        found = {**dict(_of_ledger(cursor)), **dict(_of_prices(cursor)), **dict(_of_alerts(cursor))}
    settings = Settings(indexes="btc_usd,eth_usd", poll_seconds=5)
    found["health"] = health(database, settings, END)["indexes"]
    found["metrics"] = [
        line
        for line in as_text(database, settings, END).decode().splitlines()
        if line.startswith(("tickwell_tick", "tickwell_missed", "tickwell_gap", "tickwell_coverage"))
    ]
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def _of_ledger(cursor: Cursor) -> Iterator[tuple[str, Any]]:
    known = gaps.ledger(cursor, EPOCH, END, END)
    yield "gaps", list(map(tuple, known))
    yield "gaps_as_json", list(map(gaps.gap_as_json, known))
    yield "coverage", list(map(astuple, coverage.coverage(cursor, known, START, END)))
    yield "calendar", list(map(astuple, coverage.calendar(cursor, known, START, END)))
    yield "stretches", list(map(astuple, due.stretches(cursor, EPOCH, END)))
    yield "misses", list(map(astuple, runs.misses(cursor, EPOCH, END)))
    yield "troubles", list(map(astuple, runs.troubles(cursor, START)))
    yield "failures", list(map(astuple, runs.failures(cursor, START, END)))
    yield "watermark", gaps.watermark(cursor)


def _of_prices(cursor: Cursor) -> Iterator[tuple[str, Any]]:
    yield "summary", ticks.summary(cursor)
    for name in NAMES:
        yield f"history of {name}", list(map(astuple, ticks.history(cursor, name, EPOCH, END)))
        for minutes in (1, 60):
            frame = bars.bars(cursor, name, START, END, timedelta(minutes=minutes))
            yield f"bars of {name} over {minutes} min", [list(row) for row in frame.itertuples(index=False)]


def _of_alerts(cursor: Cursor) -> Iterator[tuple[str, Any]]:
    yield "alerts", list(map(astuple, events.newest(cursor, limit=100)))
    yield "settled", [(row, tuple(gap), at) for row, gap, at in healings.closed(cursor, EPOCH, END)]
