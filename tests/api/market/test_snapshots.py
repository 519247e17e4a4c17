"""/market/snapshots: which snapshots there are, and which are missing and why."""

from typing import Any

import httpx
import pytest

from api.market.asked import MOST_ROWS
from store.instants import in_iso
from store.ledger import runs
from store.ledger.gaps import advance
from store.models import Cause, Miss, Run
from tests.api.conftest import detail
from tests.conftest import START

from .conftest import HOUR, MINUTE, SECOND, answered, record_futures

FEED = "futures/BTC"


def snapshots(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"series": FEED, "start": in_iso(START), "end": in_iso(START + HOUR), **params}
    return client.get("/market/snapshots", params=given)


def test_what_is_there_is_listed_and_what_is_missing_is_told_with_its_cause(client, database):
    with database.write() as cursor:
        runs.note(cursor, Run(START, {FEED: 60}, "0", START + 10 * MINUTE))
        runs.append_misses(
            cursor, [Miss(START + n * MINUTE, FEED, Cause.UNREACHABLE, "connection refused") for n in range(3, 10)]
        )
    recorded = record_futures(database, 0, 60, 120)
    record_futures(database, 60, currency="ETH")
    advance(database, START + 10 * MINUTE, START + 10 * MINUTE, 1)

    reply = answered(snapshots(client))

    assert reply.keys() == {"series", "start", "end", "snapshots", "gaps"}
    assert reply["snapshots"] == [
        {
            "ts": in_iso(each.ts),
            "received_at": in_iso(each.received_at),
            "source": "simulator",
            "rows": len(each.rows),
            "index_price": each.index_price,
            "rejected": 0,
        }
        for each in recorded
    ]
    assert reply["gaps"] == [
        {
            "start": "2026-11-01T12:03:00Z",
            "end": "2026-11-01T12:10:00Z",
            "slots": 7,
            "period_s": 60,
            "cause": "unreachable",
            "detail": "connection refused",
            "state": "open",
            "healed_by": None,
        },
        {
            "start": "2026-11-01T12:10:00Z",
            "end": "2026-11-01T13:00:00Z",
            "slots": 50,
            "period_s": 60,
            "cause": "recorder down",
            "detail": "",
            "state": "open",
            "healed_by": None,
        },
    ]


def test_before_anything_is_recorded_nothing_is_there_and_nothing_is_missing(client, database):
    database.path.unlink()

    reply = answered(snapshots(client))

    assert (reply["snapshots"], reply["gaps"]) == ([], [])


def test_a_time_with_more_snapshots_than_a_reply_has_is_refused_with_a_way_out(client, database):
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO snapshots (feed, ts, received_at, source, rows) SELECT 'futures/BTC', ts, ts, 'simulator', 0 "
            "FROM range(TIMESTAMP '2026-11-01 12:00:00', TIMESTAMP '2026-11-02 12:00:00', INTERVAL 5 SECOND) t(ts)"
        )

    assert len(answered(snapshots(client, end=in_iso(START + MOST_ROWS * 5 * SECOND)))["snapshots"]) == MOST_ROWS
    assert detail(snapshots(client, end="2026-11-02T12:00:00Z")).startswith("start, end: 17,280 snapshots lie between")


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"series": "dvol/BTC"}, "series = 'dvol/BTC': must be one of futures/BTC, futures/ETH, options/BTC, options/"),
        ({"start": "x"}, "start = 'x': must be ISO 8601"),
        ({"end": "2026-10-01"}, "end = 2026-10-01T00:00:00Z: must not be before start = 2026-11-01T12:00:00Z"),
        ({"explain": "x"}, "explain = 'x': must be a valid boolean"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(client, database, params, said):
    assert detail(snapshots(client, **params)).startswith(said)


def test_a_time_from_the_first_year_on_is_answered(client, database):
    assert answered(snapshots(client, start="0001-01-01"))["snapshots"] == []
