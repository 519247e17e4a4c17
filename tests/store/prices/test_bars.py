"""Bars are what folding the ticks by hand gives: whole, aligned, and honest about averages and gaps."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.file.database import Database
from store.ledger import runs
from store.models import Run, Tick
from store.prices import overruled, ticks
from store.prices.bars import INTERVAL_NAMES, NICE_INTERVALS, SINGLE_TICKS, bars, fits, nice_interval
from tests.conftest import START, tick
from tests.support.examples import examples

MINUTE, HOUR, DAY, WEEK = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1), timedelta(weeks=1)
MONDAY = START.replace(year=2000, month=1, day=3, hour=0)
"""Bars are counted from here: in UTC, and those of a week from Mondays."""


@pytest.fixture(scope="module")
def database(open_database: Database) -> Database:
    """Kept open: `fill` empties it."""
    return open_database


def second(number: float) -> datetime:
    return START + timedelta(seconds=number)


def average(number: float, resolution_s: int, price: float = 100.0) -> Tick:
    return tick(number, price=price, source="chart", received_at=None, resolution_s=resolution_s)


def run(first: float, last: float | None, poll_seconds: int) -> Run:
    return Run(second(first), {"btc_usd": poll_seconds}, "1", None if last is None else second(last))


def fill(database: Database, new: Sequence[Tick], recorded: Sequence[Run] = ()) -> None:
    with database.write() as cursor:
        cursor.execute("DELETE FROM ticks")
        cursor.execute("DELETE FROM runs")
        overruled.reach_of_all(cursor)
        ticks.append(cursor, new)  # none of them overrules another
        overruled.reach_of_all(cursor)
        for each in recorded:
            runs.note(cursor, replace(each, ended_at=None))
            if each.ended_at:
                runs.note(cursor, each)


def folded(
    database: Database,
    new: Sequence[Tick],
    first: float,
    last: float,
    interval: timedelta = MINUTE,
    recorded: Sequence[Run] = (),
) -> pd.DataFrame:
    """The bars of these ticks from one second to another."""
    fill(database, new, recorded)
    with database.read() as cursor:
        return bars(cursor, "btc_usd", second(first), second(last), interval)


def opened(frame: pd.DataFrame) -> list[float]:
    """The seconds at which the bars open."""
    return [(at - START).total_seconds() for at in frame["open_time"]]


def gaps(frame: pd.DataFrame) -> list[float]:
    """The seconds at which bars open that have a gap before them."""
    return opened(frame[frame["gap_before"]])


@dataclass(frozen=True)
class Bar:
    open_time: datetime
    open: float
    high: float
    low: float
    close: float
    tick_count: int
    observed_count: int
    resolution_s: int
    averaged: bool
    gap_before: bool


def bar_of(at: datetime, interval: timedelta) -> datetime:
    return at - (at - MONDAY) % interval if interval else at


def covered_to(row: Tick) -> datetime:
    return row.ts + timedelta(seconds=row.resolution_s)


def in_range(new: Sequence[Tick], start: datetime, end: datetime, interval: timedelta) -> list[Tick]:
    """The rows that belong to a range, and the two that its line needs beyond it."""
    before = [row.ts for row in new if row.ts <= start < covered_to(row)][-1:]
    cover = [row for row in new if row.ts <= end < covered_to(row)][-1:]
    after = [row.ts for row in new if cover and end <= row.ts <= covered_to(cover[0])][:1]
    return [row for row in new if bar_of(start, interval) <= row.ts < end or row.ts in before + after]


def polled(opens: datetime, recorded: Sequence[Run], interval: timedelta) -> timedelta | None:
    """What is between two polls of the last run that a row lies in."""
    found = None
    for each, following in zip(recorded, [*recorded[1:], None], strict=False):
        last = each.ended_at or (following.started_at if following else opens)
        if each.started_at < opens + (interval or timedelta.resolution):
            found = timedelta(seconds=each.feeds["btc_usd"]) if last >= opens else None
    return found


def middle(distances: Sequence[timedelta]) -> timedelta | None:
    """The median of at least two distances."""
    ascending, half = sorted(distances), len(distances) // 2
    if len(ascending) < 2:
        return None
    return ascending[half] if len(ascending) % 2 else (ascending[half - 1] + ascending[half]) / 2


def longest(first: timedelta | None, second: timedelta | None) -> timedelta | None:
    known = [each for each in (first, second) if each is not None]
    return max(known) if known else None


def usual_distances(
    opens: Sequence[datetime], observed: Sequence[bool], recorded: Sequence[Run], interval: timedelta
) -> list[timedelta | None]:
    """What is between each two rows while all goes well, as far as runs and imports tell."""
    polls = [polled(each, recorded, interval) for each in opens]
    alone = [poll is None and its for poll, its in zip(polls, observed, strict=True)]
    usual = middle([opens[at + 1] - opens[at] for at in range(len(opens) - 1) if alone[at] and alone[at + 1]])
    lasts = [usual if alone[at] else polls[at] or timedelta(0) for at in range(len(opens))]
    return [longest(*pair) for pair in zip(lasts[:-1], polls[1:], strict=True)]


def by_hand(
    new: Sequence[Tick], recorded: Sequence[Run], start: datetime, end: datetime, interval: timedelta
) -> list[Bar]:
    """What the bars should be, row by row."""
    groups: dict[datetime, list[Tick]] = {}
    for row in in_range(sorted(new, key=lambda row: row.ts), start, end, interval):
        groups.setdefault(bar_of(row.ts, interval), []).append(row)
    observed = [any(row.resolution_s == 0 for row in its) for its in groups.values()]
    all_usual = [None, *usual_distances(list(groups), observed, recorded, interval)]
    found: list[Bar] = []
    for (opens, rows), usual in zip(groups.items(), all_usual, strict=False):
        prices = [row.price for row in rows]
        live = sum(row.resolution_s == 0 for row in rows)
        averages = timedelta(seconds=sum(row.resolution_s for row in rows))
        lasts = max(1.5 * interval, 1.5 * timedelta(seconds=found[-1].resolution_s)) if found else interval
        found.append(
            Bar(
                opens,
                prices[0],
                max(prices),
                min(prices),
                prices[-1],
                len(rows),
                live,
                max(row.resolution_s for row in rows),
                live == 0 or 2 * averages > interval,
                bool(found) and usual is not None and opens - found[-1].open_time > max(lasts, 2.5 * usual),
            )
        )
    return found


def shown(frame: pd.DataFrame) -> list[Bar]:
    return [Bar(*row) for row in frame.itertuples(index=False)]


# Two days around START, on a grid and on none, so that many meet at the edges of bars and of averages.
seconds = st.one_of(
    st.integers(-24, 24).map(lambda number: 3600.0 * number),
    st.integers(-200, 200).map(lambda number: 60.0 * number),
    st.integers(-20, 20).map(lambda number: 6.0 * number),
    st.integers(-86_400_000_000, 86_400_000_000).map(lambda number: number / 1e6),
)
rows = st.builds(
    lambda at, price, kind: tick(at, price=price, source=kind[0], received_at=None, resolution_s=kind[1]),
    seconds,
    st.integers(1, 50).map(float),
    st.sampled_from([("live", 0), ("live", 0), ("chart", 6), ("chart", 60), ("chart", 3600), ("chart", 86_400)]),
)
recordings = st.lists(
    st.tuples(seconds, st.none() | st.floats(1, 40_000), st.sampled_from([1, 5, 60, 3600])),
    max_size=3,
    unique_by=lambda each: each[0],
)


@examples(150)
@given(
    new=st.lists(rows, max_size=40, unique_by=lambda row: row.ts),
    recorded=recordings,
    ends=st.tuples(seconds, seconds).filter(lambda ends: ends[0] < ends[1]),
    interval=st.sampled_from([SINGLE_TICKS, *NICE_INTERVALS]),
)
def test_any_bars_of_any_ticks_are_those_that_were_folded_by_hand(database, new, recorded, ends, interval):
    sorted_runs = [run(first, lasts and first + lasts, poll_seconds) for first, lasts, poll_seconds in sorted(recorded)]
    first, last = ends

    frame = folded(database, [*new, tick(0, "eth_usd", price=999.0)], first, last, interval, sorted_runs)

    assert shown(frame) == by_hand(new, sorted_runs, second(first), second(last), interval)


def test_columns_have_their_types_also_when_there_is_no_bar(database):
    expected = {
        "open_time": "datetime64[us, UTC]",
        **dict.fromkeys(["open", "high", "low", "close"], "float64"),
        **dict.fromkeys(["tick_count", "observed_count"], "int64"),
        "resolution_s": "int32",
        **dict.fromkeys(["averaged", "gap_before"], "bool"),
    }

    empty = folded(database, [], 0, 3600)
    two_bars = folded(database, [tick(0), tick(60)], 0, 3600)
    two_ticks = folded(database, [tick(0), average(60, 6)], 0, 3600, SINGLE_TICKS)

    assert (len(empty), len(two_bars), len(two_ticks)) == (0, 2, 2)
    assert [dict(frame.dtypes.astype(str)) for frame in (empty, two_bars, two_ticks)] == [expected] * 3


def test_a_bar_has_the_first_highest_lowest_and_last_price_of_its_ticks(database):
    new = [
        tick(0, price=5.0),
        tick(20, price=9.0),
        tick(40, price=1.0),
        tick(59.999999, price=4.0),
        tick(60, price=7.0),
    ]

    frame = folded(database, new, 0, 120)

    assert shown(frame) == [
        Bar(START, 5.0, 9.0, 1.0, 4.0, 4, 4, 0, averaged=False, gap_before=False),
        Bar(second(60), 7.0, 7.0, 7.0, 7.0, 1, 1, 0, averaged=False, gap_before=False),
    ]


def test_single_ticks_are_bars_of_their_own_at_their_own_time(database):
    frame = folded(database, [tick(0.000001, price=5.0), tick(59.5, price=9.0)], 0, 60, SINGLE_TICKS)

    assert [(row.open_time, row.open, row.high, row.low, row.close, row.tick_count) for row in shown(frame)] == [
        (second(0.000001), 5.0, 5.0, 5.0, 5.0, 1),
        (second(59.5), 9.0, 9.0, 9.0, 9.0, 1),
    ]


@pytest.mark.parametrize("interval", NICE_INTERVALS)
def test_bars_are_aligned_in_utc_whatever_zone_the_range_is_given_in(database, interval):
    kathmandu = timezone(timedelta(hours=5, minutes=45))
    fill(database, [tick(number * 1000.5) for number in range(200)])

    with database.read() as cursor:
        frame = bars(cursor, "btc_usd", START.astimezone(kathmandu), second(200_000).astimezone(kathmandu), interval)

    assert len(frame) > 0
    assert str(frame["open_time"].dt.tz) == "UTC"
    assert all((at - MONDAY) % interval == timedelta(0) for at in frame["open_time"])


def test_bars_of_a_week_open_on_monday(database):
    frame = folded(database, [tick(0)], 0, 60, WEEK)

    assert [f"{at:%a %H:%M}" for at in frame["open_time"]] == ["Mon 00:00"]


def test_the_first_bar_is_whole_and_nothing_before_it_is_shown(database):
    frame = folded(database, [tick(-60), tick(-30), tick(0, price=3.0), tick(29), tick(31)], 30, 60)

    assert opened(frame) == [0]
    assert (frame["open"][0], frame["tick_count"][0]) == (3.0, 3)


def test_the_first_bar_is_whole_although_an_average_in_it_covers_the_start(database):
    frame = folded(database, [average(number, 6) for number in range(0, 60, 6)], 45, 60)

    assert opened(frame) == [0]
    assert frame["tick_count"][0] == 10


@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE])
def test_a_tick_one_bar_before_the_start_or_at_the_end_is_outside(database, interval):
    frame = folded(database, [tick(-60), tick(0), tick(60), tick(120)], 0, 120, interval)

    assert opened(frame) == [0, 60]


@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE])
def test_averages_that_cover_an_end_of_the_range_are_included(database, interval):
    new = [average(-3600, 3600), average(-7200, 3600), average(-60, 3600, price=1.0), average(3540, 3600, price=2.0)]

    frame = folded(database, [*new, tick(7140, price=3.0), tick(7200)], 0, 3600, interval)

    assert opened(frame) == [-60, 3540, 7140]
    assert list(frame["close"]) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE])
def test_finer_rows_between_a_covering_average_and_the_range_are_left_out(database, interval):
    day_s = 86_400
    finer = [average(-3600, 6), tick(-1800), tick(-120)]

    frame = folded(database, [average(-7200, day_s), *finer, tick(0), tick(60)], 0, 120, interval)

    assert opened(frame) == [-7200, 0, 60]


@pytest.mark.parametrize(("covers_s", "included"), [(599, False), (600, False), (601, True)])
def test_an_average_that_ends_where_the_range_begins_does_not_cover_it(database, covers_s, included):
    frame = folded(database, [average(-600, covers_s), tick(0)], 0, 60)

    assert opened(frame) == ([-600, 0] if included else [0])


def test_a_range_within_one_average_has_the_two_rows_that_its_line_connects(database):
    frame = folded(database, [average(-40_000, 86_400), average(46_400, 86_400)], 0, 60)

    assert list(frame["open_time"]) == [second(-40_020), second(46_380)]
    assert list(frame["averaged"]) == [True, True]
    assert gaps(frame) == []


def test_a_line_of_averages_reaches_a_range_that_ends_where_the_next_one_begins(database):
    new = [average(0, 60, price=1.0), average(60, 60, price=2.0)]

    frame = folded(database, new, 0, 60, SINGLE_TICKS)

    assert list(frame["close"]) == [1.0, 2.0]


def test_a_covering_average_without_a_successor_ends_the_line(database):
    frame = folded(database, [average(0, 3600), tick(3601)], 0, 60)

    assert opened(frame) == [0]


def test_a_bar_of_averages_alone_is_averaged(database):
    frame = folded(database, [average(0, 6), average(6, 6)], 0, 60)

    assert (frame["observed_count"][0], frame["resolution_s"][0], frame["averaged"][0]) == (0, 6, True)


@pytest.mark.parametrize(("averages", "averaged"), [(5, False), (6, True)])
def test_a_bar_is_averaged_when_averages_are_over_more_than_half_of_it(database, averages, averaged):
    frame = folded(database, [*(average(6 * number, 6) for number in range(averages)), tick(45)], 0, 60)

    assert frame["averaged"][0] == averaged


def test_one_short_average_in_a_day_of_ticks_leaves_it_observed(database):
    midnight_s = 12 * 3600
    new = [average(midnight_s, 6), *(tick(midnight_s + 600 * number) for number in range(1, 144))]

    frame = folded(database, new, midnight_s, midnight_s + 86_400, DAY)

    assert (frame["observed_count"][0], frame["resolution_s"][0], frame["averaged"][0]) == (143, 6, False)


def test_few_long_averages_among_many_short_ones_do_not_make_a_mostly_observed_bar_averaged(database):
    midnight_s = 12 * 3600
    long = [average(midnight_s + 300 * number, 300) for number in range(48)]
    short = [average(midnight_s + 4 * 3600 + 6 * number, 6) for number in range(600)]
    observed = [tick(midnight_s + 5 * 3600 + 60 * number) for number in range(19 * 60)]

    frame = folded(database, [*long, *short, *observed], midnight_s, midnight_s + 86_400, DAY)

    assert (frame["tick_count"][0], frame["resolution_s"][0], frame["averaged"][0]) == (48 + 600 + 19 * 60, 300, False)


def test_a_bar_with_an_average_longer_than_itself_is_averaged(database):
    frame = folded(database, [average(0, 3600), *(tick(number) for number in range(1, 60))], 0, 60)

    assert (frame["observed_count"][0], frame["averaged"][0]) == (59, True)


def test_bars_without_a_tick_between_are_a_gap(database):
    new = [tick(number) for number in (0, 60, 120, 240, 300)]

    frame = folded(database, new, 0, 600, recorded=[run(0, 600, 5)])

    assert opened(frame) == [0, 60, 120, 240, 300]
    assert gaps(frame) == [240]


@pytest.mark.parametrize(("missing", "gap"), [(1, []), (2, [15.0])])
def test_two_slots_in_a_row_without_a_tick_are_a_gap_and_one_is_not(database, missing, gap):
    new = [tick(5 * number) for number in range(4) if number not in range(3 - missing, 3)]

    frame = folded(database, new, 0, 60, SINGLE_TICKS, [run(0, 60, 5)])

    assert gaps(frame) == gap


def test_slow_polling_leaves_bars_empty_without_a_gap(database):
    new = [tick(number) for number in (0, 600, 1200, 3000)]

    frame = folded(database, new, 0, 3600, recorded=[run(0, None, 600)])

    assert gaps(frame) == [3000]


def test_a_slow_run_hides_no_gap_of_the_others(database):
    new = [tick(number) for number in (0, 600, 1200, 1205, 1210, 1300)]
    recorded = [run(-9000, -5000, 3600), run(0, 1200, 600), run(1200, None, 5)]

    frame = folded(database, new, -9000, 1400, SINGLE_TICKS, recorded)

    assert gaps(frame) == [1300]


@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE])
def test_where_a_run_follows_a_faster_or_a_slower_one_the_slower_tells(database, interval):
    new = [tick(number) for number in (0, 600, 1260, 1265, 1270, 3000, 3600)]
    recorded = [run(0, 1250, 600), run(1260, 1272, 5), run(1800, None, 600)]

    slower = folded(database, new, 0, 4000, interval, recorded)
    missing = folded(database, [*new[:-2], tick(3600)], 0, 4000, interval, recorded)

    assert gaps(slower) == [3000]
    assert gaps(missing) == [3600]


def test_the_runs_of_other_indexes_say_nothing_of_imported_ticks(database):
    new = [tick(60 * number, "sol_usd") for number in (0, 1, 2, 3, 10)]
    fill(database, new, [run(0, None, 5)])

    with database.read() as cursor:
        frame = bars(cursor, "sol_usd", second(0), second(900), SINGLE_TICKS)

    assert gaps(frame) == [600]


def test_imported_ticks_before_a_run_are_judged_by_their_own_distance(database):
    hourly = [tick(3600 * number) for number in (0, 1, 2, 3, 7)]
    new = [*hourly, *(tick(26_000 + 5 * number) for number in (0, 1, 2, 3, 7))]

    frame = folded(database, new, 0, 30_000, SINGLE_TICKS, [run(26_000, None, 5)])

    assert gaps(frame) == [7 * 3600, 26_035]


def test_an_average_that_is_missing_before_any_run_is_a_gap(database):
    frame = folded(database, [average(3600 * number, 3600) for number in (0, 1, 2, 4)], 0, 20_000, HOUR)

    assert gaps(frame) == [4 * 3600]


def test_a_run_that_was_killed_lasts_until_the_next_one_begins(database):
    new = [tick(number) for number in (0, 5, 10, 300)]

    frame = folded(database, new, 0, 600, SINGLE_TICKS, [run(-9000, None, 3600), run(-8000, None, 5)])

    assert gaps(frame) == [300]


def test_where_no_run_tells_the_median_distance_of_the_rows_is_the_usual_one(database):
    new = [tick(number) for number in (0, 60, 120, 180, 500, 560)]

    frame = folded(database, new, 0, 600, SINGLE_TICKS)

    assert gaps(frame) == [500]


def test_two_imported_ticks_do_not_tell_whether_anything_is_missing(database):
    frame = folded(database, [tick(0), tick(5000)], 0, 6000, SINGLE_TICKS)

    assert gaps(frame) == []


@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE, HOUR])
def test_averages_one_after_the_other_have_no_gap_and_a_missing_one_is_a_gap(database, interval):
    new = [average(3600 * number, 3600) for number in (0, 1, 2, 4, 5)]

    frame = folded(database, new, 0, 6 * 3600, interval, [run(0, None, 5)])

    assert gaps(frame) == [4 * 3600]


def test_a_tick_soon_after_an_average_ends_has_no_gap_before_it(database):
    new = [average(0, 3600), tick(3605), tick(3610), tick(3700)]

    frame = folded(database, new, 0, 4000, SINGLE_TICKS, [run(3600, None, 5)])

    assert gaps(frame) == [3700]


@pytest.mark.parametrize("new", [[], [tick(0)]], ids=["none", "one"])
@pytest.mark.parametrize("interval", [SINGLE_TICKS, MINUTE])
def test_no_row_and_a_single_row_have_no_gap(database, new, interval):
    frame = folded(database, new, 0, 60, interval, [run(0, None, 5)])

    assert len(frame) == len(new)
    assert gaps(frame) == []


@pytest.mark.parametrize(("at_most", "answer"), [(2, False), (3, True), (4, True)])
def test_ticks_fit_when_the_range_has_at_most_so_many(database, at_most, answer):
    fill(database, [tick(-1), tick(0), tick(1), tick(2), tick(3), tick(1, "eth_usd")])

    with database.read() as cursor:
        fit = fits(cursor, "btc_usd", START, second(3), at_most)

    assert fit == answer


@pytest.mark.parametrize(
    ("span", "most_bars", "interval"),
    [
        (timedelta(0), 1500, timedelta(seconds=1)),
        (timedelta(seconds=1500), 1500, timedelta(seconds=1)),
        (timedelta(seconds=1501), 1500, timedelta(seconds=2)),
        (DAY, 1500, MINUTE),
        (DAY, 200, timedelta(minutes=15)),
        (timedelta(days=3650), 200, WEEK),
    ],
)
def test_the_nice_interval_is_the_shortest_that_cuts_a_span_into_few_enough_bars(span, most_bars, interval):
    assert nice_interval(span, most_bars) == interval


def test_a_nice_interval_may_have_a_lower_bound():
    assert nice_interval(HOUR, 200, at_least=timedelta(seconds=20)) == timedelta(seconds=30)
    assert nice_interval(DAY, 200, at_least=timedelta(seconds=20)) == timedelta(minutes=15)


def test_intervals_have_a_short_name_each_of_their_own():
    names = [INTERVAL_NAMES[each] for each in NICE_INTERVALS]

    assert " ".join(names) == "1s 2s 5s 10s 15s 30s 1m 2m 5m 15m 30m 1h 2h 4h 6h 12h 1d 2d 1w"
