"""A feed takes a kind in the store and a module in the poller: all that is kept, told and copied of feeds has it."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result

from poller.feeds.index import index_feeds
from poller.history.limits import Limits as HistoryLimits
from poller.recorder.limits import Limits
from poller.recorder.recorder import Recorder
from settings import Settings
from store.export.files import manifest_of
from store.file.database import Database
from store.health.metrics import as_text
from store.health.status import health
from store.ledger import gaps, runs
from store.ledger.coverage import coverage
from store.models import Cause, Gap, utc_now
from store.prices import averages
from tests.conftest import START, wait_until
from tests.made_up.feed import moon_feed
from tests.poller.conftest import http, refusal
from tests.support.stored import EVER

from .test_feeds import MOONS, answer

SECOND = timedelta(seconds=1)


@pytest.fixture
def settings(serve, make_settings: Callable[..., Settings]) -> Settings:
    """Of an exchange that refuses to tell the moons once, after three times."""
    asked: list[str] = []

    def refuses_once(target: str) -> bytes:
        if "get_moons" in target:
            asked.append(target)
            if len(asked) == 4:
                return http(json.dumps(refusal(-32602, "Invalid params")).encode(), "400 Bad Request")
        return answer(target)

    return make_settings(deribit_url=serve(refuses_once).url, poll_seconds=1, indexes=("btc_usd",))


@pytest.fixture
def recorded(moons: Database, settings: Settings) -> Database:
    """What a recorder stores of it, until the slot that failed is known to stay empty."""
    with moons.write() as cursor:  # a little history, so that none is loaded
        averages.append(cursor, "btc_usd", [(START.replace(year=2019), 1.0)], 86_400, "live")
    feeds = (*index_feeds(("btc_usd",), SECOND), moon_feed("JUPITER", SECOND))
    limits = Limits(history=HistoryLimits(look_for_gaps_s=0.5, ripe=SECOND))
    recorder = Recorder(settings, moons, "external", feeds=feeds, limits=limits)
    recorder.start()
    try:
        wait_until(lambda: MOONS in noted_as_unfillable(moons), timeout_s=60, look_again_s=0.5)
    finally:
        recorder.stop()
    return moons


def noted_as_unfillable(database: Database) -> set[str]:
    with database.read() as cursor:
        return gaps.feeds_with_gaps(cursor, ("unfillable",))


def gaps_of(database: Database) -> list[Gap]:
    with database.read() as cursor:
        return [
            gap for gap in gaps.ledger(cursor, *EVER, utc_now()) if gap.feed == MOONS and gap.cause != "recorder down"
        ]


def test_it_is_recorded_missed_counted_told_exported_and_backed_up_as_all_feeds_are(
    recorded: Database, settings: Settings, command: Callable[..., Result], tmp_path: Path
):
    now = utc_now()
    with recorded.read() as cursor:
        rows = cursor.execute("SELECT planet, moon_name, phase FROM moons ORDER BY ts, moon_name").fetchall()
        snapshots = cursor.execute("SELECT DISTINCT feed, rows, source FROM snapshots").fetchall()
        (miss,) = runs.misses(cursor, *EVER)
        (run,) = runs.runs(cursor)
        known = gaps.ledger(cursor, run.started_at, miss.slot + SECOND, now)
        (share,) = (its for its in coverage(cursor, known, miss.slot, miss.slot + SECOND) if its.feed == MOONS)
    (gap,) = gaps_of(recorded)

    # Recorded, missed with its cause, a gap that nobody can fill.
    assert rows[:2] == [("JUPITER", "Europa", 0.5), ("JUPITER", "Io", 0.25)]
    assert len(rows) >= 6
    assert snapshots == [(MOONS, 2, "live")]
    assert run.feeds == {"btc_usd": 1, MOONS: 1}
    assert (miss.feed, miss.cause, miss.code) == (MOONS, Cause.EXCHANGE_ERROR, -32602)
    assert (gap.start, gap.slots, gap.cause, gap.state) == (miss.slot, 1, "exchange error -32602", "unfillable")
    assert (share.due, share.missing) == (1, 1)

    # Health and metrics.
    assert health(recorded, settings, now)["feeds"][MOONS]["state"] == "ok"
    text = as_text(recorded, settings, now).decode().splitlines()
    assert f'tickwell_missed_slots_total{{cause="exchange error",index_name="{MOONS}"}} 1.0' in text
    assert f'tickwell_gap_seconds{{index_name="{MOONS}",state="unfillable"}} 1.0' in text

    # Export, backup, restore and verify.
    exported, backup, again = tmp_path / "exported.csv.gz", tmp_path / "backup", tmp_path / "again.duckdb"
    for words in (
        ("export", "--index", MOONS, "--format", "csv", "--to", exported),
        ("verify", recorded.path),
        ("verify", exported),
        ("backup", backup),
        ("verify", backup),
        ("restore", backup, "--into", again),
    ):
        done = command(*map(str, words))
        assert done.exit_code == 0, done.output
    manifest = json.loads(manifest_of(exported).read_text())
    assert list(pd.read_csv(exported)["moon_name"]) == [name for _, name, _ in rows]
    assert manifest["coverage"][MOONS]["missing"] == 1
    assert [each["state"] for each in manifest["gaps"]] == ["unfillable"]
    assert [path.parent.name for path in backup.rglob("*.parquet")].count("moons") >= 1
    with recorded.read() as before, Database(again).read() as restored:
        for table in ("moons", "snapshots", "gaps", "misses", "runs"):
            asked = f"FROM {table} ORDER BY ALL"
            assert restored.execute(asked).fetchall() == before.execute(asked).fetchall(), table
