"""The ledger is kept by feed: each has its own slots, whatever the periods of the others are."""

from collections.abc import Iterable

from store.file.database import Cursor, Database
from store.ledger import arrivals, gaps, runs
from store.ledger.coverage import calendar, coverage
from store.ledger.heal import heal
from store.models import Cause, Gap, Miss, Run, Snapshot, to_column
from tests.store.histories import LATENCY, at, found, in_short, missed, observed

CHAIN = "options/BTC"
HOUR = 3600


def snapshots(cursor: Cursor, seconds: Iterable[float]) -> None:
    """Store a snapshot 2 s after each of these slots."""
    arrivals.append(cursor, [Snapshot(CHAIN, at(second + 2), at(second + 2.1), ()) for second in seconds])


def ran(cursor: Cursor, start_s: float, end_s: float | None, **periods_s: int) -> None:
    feeds = {CHAIN if name == "chain" else name: seconds for name, seconds in periods_s.items()}
    runs.note(cursor, Run(at(start_s), feeds, "1", None if end_s is None else at(end_s)))


def by_feed(known: Iterable[Gap], feed: str) -> list[tuple[float, float, int, str]]:
    return in_short(gap for gap in known if gap.feed == feed)


def test_two_feeds_of_one_run_have_their_own_slots_misses_gaps_and_coverage(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, HOUR, btc_usd=1, chain=300)
        observed(cursor, (second for second in range(HOUR) if not 100 <= second < 110))
        missed(cursor, range(100, 110))
        snapshots(cursor, (second for second in range(0, HOUR, 300) if second not in (900, 1200)))
        missed(cursor, (900, 1200), Cause.REJECTED_REPLY, CHAIN)

    known = found(database, HOUR)

    assert by_feed(known, "btc_usd") == [(100, 110, 10, "unreachable")]
    assert by_feed(known, CHAIN) == [(900, 1500, 2, "rejected reply")]
    with database.read() as cursor:
        shares = {its.feed: (its.due, its.missing) for its in coverage(cursor, known, at(0), at(HOUR))}
        hours = [(its.feed, its.due, its.missing) for its in calendar(cursor, known, at(0), at(HOUR))]
    assert shares == {"btc_usd": (HOUR, 10), CHAIN: (12, 2)}
    assert hours == [("btc_usd", HOUR, 10), (CHAIN, 12, 2)]


def test_a_killed_run_ends_for_each_feed_with_its_own_slot(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, None, btc_usd=1, chain=300)
        observed(cursor, range(1000))
        snapshots(cursor, (0, 300, 600, 900))
        ran(cursor, 2000, None, btc_usd=1, chain=300)
        observed(cursor, range(2000, 2400))
        snapshots(cursor, (2100,))

    known = found(database, 3000, end_s=2400)

    assert by_feed(known, "btc_usd") == [(1000, 2000, 1000, "recorder down")]
    assert by_feed(known, CHAIN) == [(1200, 2000, 3, "recorder down")]


def test_the_slot_that_a_slow_feed_may_still_bring_is_no_gap_of_it_and_hides_none_of_a_fast_one(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, None, btc_usd=1, chain=300)
        observed(cursor, range(600))
        missed(cursor, range(600, 650))
        snapshots(cursor, (0,))

    known = found(database, 650)

    assert by_feed(known, "btc_usd") == [(600, 648, 48, "unreachable")]
    assert by_feed(known, CHAIN) == []


def test_a_feed_that_a_later_run_has_no_more_is_due_no_more(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, 600, btc_usd=1, chain=300)
        observed(cursor, range(600))
        snapshots(cursor, (0, 300))
        ran(cursor, 1200, 1800, btc_usd=5)
        observed(cursor, range(1200, 1800, 5))

    known = found(database, 1800)

    assert {(gap.feed, gap.poll_seconds, gap.slots) for gap in known} == {("btc_usd", 1, 600)}


def test_a_snapshot_that_comes_late_heals_the_gap_that_nobody_could_fill(database: Database):
    with database.write() as cursor:
        ran(cursor, 0, 1200, chain=300)
        snapshots(cursor, (0, 900))
        missed(cursor, (300, 600), index_name=CHAIN)
    gaps.advance(database, at(1200), at(1200), wait_s=1)

    with database.write() as cursor:
        snapshots(cursor, (300,))
        changed, _ = heal(cursor, CHAIN, at(1300), states=("unfillable",))

    assert [(gap.state, gap.source, gap.slots) for gap in changed] == [("healed", "live", 1), ("unfillable", None, 1)]


def test_a_snapshot_is_noted_once(database: Database):
    with database.write() as cursor:
        snapshots(cursor, (0, 300, 300))
        snapshots(cursor, (300, 600))
        snapshots(cursor, ())
        stored = cursor.execute("SELECT feed, ts FROM snapshots ORDER BY ts").fetchall()
        newest = arrivals.newest(cursor)

    assert stored == [(CHAIN, to_column(at(second))) for second in (2, 302, 602)]
    assert newest == {CHAIN: at(602)}


def test_the_misses_of_two_feeds_at_one_slot_are_two(database: Database):
    slot = at(300) + LATENCY
    with database.write() as cursor:
        runs.append_misses(cursor, [Miss(slot, feed, Cause.UNREACHABLE, "x") for feed in ("btc_usd", CHAIN, CHAIN)])
        noted = runs.misses(cursor, at(0), at(600))

    assert [miss.feed for miss in noted] == ["btc_usd", CHAIN]
