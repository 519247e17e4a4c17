"""`status` tells how the market is recorded, too."""

from datetime import timedelta

from store.file.database import Database
from store.health import checks
from store.health.checks import Result
from store.ledger import runs
from store.ledger.logs import Log, note
from store.market import chains
from store.market.checks import DVOL, ONE_IV, PARITY, Found
from store.models import Run, utc_now
from store.prices import ticks
from tests.conftest import tick
from tests.store.market.snapshots import chain


def test_status_has_a_line_for_each_feed_and_each_check_of_the_market(command, database: Database):
    now = utc_now()
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
        runs.note(cursor, Run(now, {"btc_usd": 5, "futures/BTC": 60, "options/BTC": 300, "options/ETH": 300}, "1"))
        chains.append(cursor, [chain(now - timedelta(seconds=70)), chain(now - timedelta(hours=2), "ETH")])
        note(cursor, Log("dvol/BTC", now - timedelta(minutes=3), "no route to host", 60))
        results = [Result(check, "options/BTC", now, Found(0.06)) for check in (PARITY, ONE_IV, DVOL)]
        checks.note(cursor, [*results, Result(DVOL, "options/ETH", now, Found(-2.0, "chain 40.00, DVOL 42.00"))])

    lines = command("status").stdout.splitlines()

    assert lines[3:] == [
        "futures/BTC, no data yet",
        "options/BTC, 1 min old, ok",
        "options/ETH, 2 h old, stale",
        "dvol/BTC, 3 min old, late: no route to host",
        "check bad, Put-call parity of options/BTC: 6.0000 %, at most 0.0500 %",
        "check bad, One IV a strike of options/BTC: 0.06 points, at most 0.05 points",
        "check good, Chain against DVOL of options/BTC: 0.06 points, at most 3.00 points",
        "check to note, Chain against DVOL of options/ETH: -2.00 points, at most 3.00 points (chain 40.00, DVOL 42.00)",
    ]


def test_status_says_how_far_the_record_is_shared(command, database: Database):
    lines = command("status", lake="postgresql://user:hidden@db/lake").stdout.splitlines()

    assert lines[2:] == ["not shared yet"]
