"""Quality in each of its states: how complete the record is, what is missing, why, and how each gap was closed."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from streamlit.testing.v1 import AppTest

from store.health import checks, vitals
from store.health.checks import Result
from store.health.vitals import Vitals
from store.ledger import gaps, runs
from store.ledger import logs as log
from store.ledger.logs import Log
from store.market import chains
from store.market.checks import DVOL, ONE_IV, PARITY, Check, Found
from store.models import Cause, Gap, Miss, Run, to_column, utc_now
from tests.pages import ledgers
from tests.pages.conftest import captions, chart, format_of, parts, recorder, warnings
from tests.store.market.snapshots import chain

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def now() -> datetime:
    return utc_now().replace(second=0, microsecond=0)


@pytest.fixture
def record(database, now):
    """Notes a run of two indexes at 5 s over the last day, and these gaps; nothing else was missing."""

    def note(*its: Gap) -> None:
        with database.write() as cursor:
            runs.note(cursor, Run(now - DAY, {"btc_usd": 5, "eth_usd": 5}, "1"))
            gaps.note(cursor, its, now)
            cursor.execute("INSERT INTO watermark VALUES (?)", [to_column(now + DAY)])

    return note


def gap(now: datetime, minutes: float, state: Any = "open", **more: Any) -> Gap:
    """A gap of a minute of btc_usd, this many minutes ago."""
    start = now - minutes * MINUTE
    return ledgers.gap(0, 60, state)._replace(start=start, end=start + MINUTE, gap=start, **more)


def measured(database, *minutes: Vitals) -> None:
    with database.write() as cursor:
        vitals.append(cursor, minutes)


def minute(at: datetime, **more: Any) -> Vitals:
    usual = Vitals(at, 24, 0.08, 0.2, 0.012, 50_000_000, 80_000_000_000)
    return replace(usual, **more)


def headlines(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def ledger(page: AppTest) -> Any:
    (table,) = page.dataframe
    return table.value


def causes(page: AppTest) -> list[str]:
    return list(ledger(page)["Cause"])


def test_before_anything_is_recorded_it_says_so(open_page):
    page = open_page("quality")

    assert [box.value for box in page.info] == [
        "Nothing was due in these 30 days: no recorder was running, or its first two slots are not over."
    ]
    assert not page.metric
    assert not page.exception


def test_only_the_header_reports_a_file_that_is_no_database(open_page, database_file):
    database_file.write_text("This is no database.\n")

    page = open_page("quality")

    assert len(page.error) == 1
    assert not page.header
    assert not page.exception


def test_a_record_without_gaps_says_so(open_page, record):
    record()

    page = open_page("quality")

    assert headlines(page) == {"BTC / USD": "100 %", "ETH / USD": "100 %"}
    assert "no gap open, 0 unfillable" in captions(page)[0]
    assert [box.value for box in page.success] == ["No gap in this range."]
    assert not page.dataframe
    assert not page.exception


def test_nothing_is_live_where_every_slot_failed(open_page, database):
    now = utc_now().replace(microsecond=0)
    slots = [now - timedelta(seconds=second) for second in range(601)]
    with database.write() as cursor:
        runs.note(cursor, Run(slots[-1], {"btc_usd": 1}, "0.1.0"))
        runs.append_misses(cursor, [Miss(slot, "btc_usd", Cause.UNREACHABLE, "refused", None) for slot in slots])

    page = open_page("quality")

    assert headlines(page) == {"BTC / USD": "0.00 %"}
    assert "0.00 % live, 0.00 % healed, 100 % missing" in captions(page)[0]


@pytest.mark.parametrize("waiting", [0, 120])
def test_ticks_that_wait_for_the_database_are_said_to_count_as_missing(open_page, record, database, waiting):
    record()

    with recorder(database, waiting=waiting):
        page = open_page("quality")

    (counted,) = [caption for caption in captions(page) if "Counted from " in caption]
    assert counted.startswith("Ticks wait to be stored: until then they count as missing. ") == (waiting > 0)


def test_a_headline_has_the_shares_of_slots_and_the_open_gaps(open_page, record, now):
    record(gap(now, 60), gap(now, 50, "unfillable"), gap(now, 40, "healed"))

    page = open_page("quality")

    assert headlines(page) == {"BTC / USD": "99.86 %", "ETH / USD": "100 %"}
    btc = captions(page)[0]
    assert "slots known: 99.79 % live, 0.06 % healed, 0.13 % missing" in btc
    assert re.search("1 gap open, the first for 1 h( 1 min)?; 1 unfillable", btc)  # a minute may have passed since


def test_the_calendar_shows_each_hour_and_describes_open_gaps(open_page, record, now):
    record(gap(now, 60), gap(now, 6 * 60, "healed"))

    page = open_page("quality")

    drawn = chart(page, "calendar")
    squares = {trace["meta"]["part"]: trace["hovertext"] for trace in drawn["figure"]["data"]}
    assert {part: len(its) for part, its in squares.items() if part != "live"} == {"healed": 1, "missing": 1, "lost": 0}
    assert 24 <= len(squares["live"]) + 2 <= 26
    assert "12 missing" in squares["missing"][0]
    assert " is known; 1 gap is open: BTC / USD, " in drawn["alt"]


def test_the_ledger_has_the_newest_gap_first_and_how_each_was_closed(open_page, record, now):
    record(gap(now, 60, "healed"), gap(now, 30, cause="exchange error 11051", detail="maintenance"))

    page = open_page("quality", timezone="Asia/Kathmandu")

    newest, older = (ledger(page).iloc[row] for row in (0, 1))
    begin = (now - 30 * MINUTE).astimezone(ZoneInfo("Asia/Kathmandu"))
    assert newest["From, Asia/Kathmandu"] == f"{begin:%Y-%m-%d %H:%M:%S}"
    assert (newest["Index"], newest["Slots"], newest["Length"]) == ("BTC / USD", 12, MINUTE)
    assert (newest["Cause"], newest["Detail"]) == ("exchange error 11051", "maintenance")
    assert (newest["State"], newest["Healed by"]) == ("open", "")
    assert (older["State"], older["Healed by"]) == ("healed", "chart, 6 s")
    assert "1 gap of 1 min is open; 1 gap of 1 min is healed with 6 s averages." in captions(page)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ({}, ["unreachable", "recorder down", "exchange error 11051", "exchange error"]),
        ({"state": "Open"}, ["recorder down"]),
        ({"state": "Healed"}, ["unreachable", "exchange error 11051"]),
        ({"cause": "Exchange error"}, ["exchange error 11051", "exchange error"]),
        ({"state": "Unfillable", "cause": "Exchange error"}, ["exchange error"]),
        ({"state": "nonsense", "cause": "nonsense"}, ["unreachable", "recorder down", "exchange error 11051"]),
        ({"index": "eth_usd"}, ["recorder down"]),
    ],
)
def test_the_ledger_is_filtered_by_the_address(open_page, record, now, address, shown):
    record(
        gap(now, 10, "healed"),
        gap(now, 20, cause="recorder down", feed="eth_usd"),
        gap(now, 30, "healed", cause="exchange error 11051"),
        gap(now, 40, "unfillable", cause="exchange error"),
    )

    page = open_page("quality", **address)

    assert causes(page)[: len(shown)] == shown
    assert not page.exception


def test_a_filter_without_a_match_says_so_and_can_be_removed(open_page, record, now):
    record(gap(now, 10))

    page = open_page("quality", state="Healed")

    assert [box.value for box in page.info] == ["No gap of this kind in this range.", NOT_MEASURED]
    page.segmented_control(key="state").set_value("All").run()
    assert causes(page) == ["unreachable"]


NOT_MEASURED = "Nothing was measured in this range: a running recorder measures once a minute."


def test_one_index_is_shown_alone(open_page, record, now):
    record(gap(now, 10))

    page = open_page("quality", index="eth_usd")

    assert headlines(page) == {"ETH / USD": "100 %"}
    assert [box.value for box in page.success] == ["No gap in this range."]


def test_days_begin_at_midnight_in_the_readers_zone(open_page, record, now):
    record()

    page = open_page("quality", timezone="Europe/Berlin", days="7d")

    first = now.astimezone(BERLIN).date() - timedelta(days=6)
    (counted,) = (words for words in captions(page) if words.startswith("Counted from"))
    assert counted.startswith(f"Counted from {first.day} {first:%b %Y}, 00:00 to ")


def test_the_table_is_cut_at_a_thousand_gaps_and_says_so(open_page, record, now):
    record(*(gap(now, 1400 - number, cause=f"{number}") for number in range(1001)))

    page = open_page("quality")

    assert len(ledger(page)) == 1000
    assert causes(page)[0] == "1000"
    assert any(words.endswith("The table has the newest 1,000 of them.") for words in captions(page))


def test_dozens_of_indexes_become_a_table(open_page, database, now, monkeypatch):
    names = tuple(f"i{number}_usd" for number in range(13))
    monkeypatch.setenv("TICKWELL_INDEXES", ",".join(names))
    monkeypatch.setenv("TICKWELL_POLL_SECONDS", "60")
    with database.write() as cursor:
        runs.note(cursor, Run(now - DAY, dict.fromkeys(names, 60), "1"))
        gaps.note(cursor, [gap(now, 60, feed="i0_usd", poll_seconds=60, slots=1)], now)
        cursor.execute("INSERT INTO watermark VALUES (?)", [to_column(now + DAY)])

    page = open_page("quality")

    table = page.dataframe[0].value
    assert list(table["Index"])[:2] == ["I0 / USD", "I1 / USD"]
    assert list(table["Known"])[:2] == [99.93, 100.0]
    assert format_of(page.dataframe[0], "Known") == "%.2f %%"
    assert list(table["Open gaps"])[:2] == [1, 0]
    assert not page.metric


def test_delays_the_clock_and_the_disk_are_shown(open_page, record, database, now):
    record()
    measured(
        database,
        minute(now - 2 * DAY, database_bytes=48_000_000),
        minute(now - 2 * MINUTE),
        minute(now - MINUTE, delay_median_s=0.09),
    )

    page = open_page("quality")

    told = headlines(page)
    assert (told["Delay, last minute"], told["This machine's clock"]) == ("90 ms", "12 ms behind")
    assert (told["Database"], told["Growth a day"]) == ("50 MB", "1 MB")
    assert (told["Free disk"], told["Disk full in"]) == ("80 GB", "over 10 years")
    assert parts(page, "delays") == ["line", "line"]
    assert not warnings(page)


@pytest.mark.parametrize(
    ("skew_s", "words"), [(-0.5, "500 ms ahead"), (0.0, "exact"), (1.5, "1.5 s behind"), (None, "—")]
)
def test_a_clock_that_is_off_by_more_than_a_second_is_a_warning(open_page, record, database, now, skew_s, words):
    record()
    measured(database, minute(now - MINUTE, skew_s=skew_s))

    page = open_page("quality")

    assert headlines(page)["This machine's clock"] == words
    assert [("clock is wrong" in box) for box in warnings(page)] == [True] * (words == "1.5 s behind")


def test_old_delays_are_not_shown_as_current(open_page, record, database, now):
    record()
    measured(database, *(minute(now - timedelta(hours=hours), skew_s=5) for hours in (30, 3)))

    page = open_page("quality")

    assert (headlines(page)["Delay, last minute"], headlines(page)["This machine's clock"]) == ("—", "—")
    assert parts(page, "delays") == ["line", "line"]
    assert not warnings(page)


@pytest.mark.parametrize(
    ("days", "grown", "free", "growth", "full_in"),
    [
        (0.9, 50_000_000, 10**9, "—", "—"),
        (2, 0, 10**9, "0 B", "over 10 years"),
        (2, 40_000_000, 10**9, "20 MB", "50 days"),
        (2, 40_000_000, 20_000_000, "20 MB", "1 day"),
        (2, 2_000_000, 10**9, "1 MB", "3 years"),
    ],
)
def test_the_time_until_the_disk_is_full_follows_from_the_last_days_growth(
    open_page, record, database, now, days, grown, free, growth, full_in
):
    record()
    last = now - MINUTE
    measured(
        database,
        minute(last - days * DAY, database_bytes=50_000_000 - grown),
        minute(last, free_bytes=free),
    )

    told = headlines(open_page("quality"))

    assert (told["Growth a day"], told["Disk full in"]) == (growth, full_in)


@pytest.mark.parametrize(("days", "step"), [("7d", "hour"), ("90d", "day")])
def test_errors_are_drawn_by_kind(open_page, record, database, now, days, step):
    record()
    with database.write() as cursor:
        slots = [now - number * MINUTE for number in range(1, 4)]
        runs.append_misses(cursor, [Miss(slot, "btc_usd", Cause.UNREACHABLE, "refused") for slot in slots])

    page = open_page("quality", days=days)

    assert chart(page, "errors")["alt"] == "Slots that failed: unreachable 3."
    assert f"Slots that brought nothing per {step}; each feed counts separately." in captions(page)


def test_errors_of_another_index_are_not_shown(open_page, record, database, now):
    record()
    with database.write() as cursor:
        runs.append_misses(cursor, [Miss(now - MINUTE, "btc_usd", Cause.UNREACHABLE, "refused")])

    page = open_page("quality", index="eth_usd")

    assert captions(page)[-1].endswith("No error in this range.")


# A market


@pytest.fixture
def market(database, now):
    """A market with a chain and DVOL, whose newest checks are these."""

    def note(*results: tuple[Check, float]) -> None:
        with database.write() as cursor:
            runs.note(cursor, Run(now - DAY, {"btc_usd": 5, "options/BTC": 300, "futures/BTC": 60}, "1"))
            chains.append(cursor, [chain(now - 2 * MINUTE)])
            log.note(cursor, Log("dvol/BTC", now - 10 * MINUTE, "no route to host", 60))
            its = gap(now, 30, "unfillable", feed="options/BTC", poll_seconds=300, slots=1)
            gaps.note(cursor, [its], now)
            cursor.execute("INSERT INTO watermark VALUES (?)", [to_column(now + DAY)])
            checks.note(cursor, [Result(check, "options/BTC", now - MINUTE, Found(value)) for check, value in results])

    return note


def test_without_a_market_nothing_is_said_of_one(open_page, record):
    record()

    page = open_page("quality")

    assert {"Checks", "Feeds of the market"} & {header.value for header in page.header} == set()
    assert page.selectbox(key="index").label == "Index"


def test_the_feeds_of_a_market_are_counted_by_their_names(open_page, market):
    market()

    page = open_page("quality")

    assert list(headlines(page)) == ["BTC / USD", "futures/BTC", "options/BTC"]
    assert page.selectbox(key="index").label == "Index or feed"
    gap_table = page.dataframe[0].value
    assert list(gap_table["Feed"]) == ["options/BTC"]
    assert not page.exception


def test_one_feed_of_a_market_is_shown_alone_and_the_next_page_has_its_default(open_page, market):
    market()

    page = open_page("quality", index="options/BTC")

    assert list(headlines(page)) == ["options/BTC"]
    page.switch_page("pages/alerts.py").run()
    assert page.session_state["index"] == "All"
    assert not page.exception


def test_each_feed_of_a_market_has_its_age_and_its_state(open_page, market):
    market()

    feeds = open_page("quality").dataframe[-1].value

    assert list(feeds["Feed"]) == ["options/BTC", "futures/BTC", "dvol/BTC"]
    assert list(feeds["State"]) == ["Fresh", "Empty", "Late"]
    assert list(feeds["Reason"]) == ["", "", "no route to host"]


def test_good_checks_are_told_in_words_with_their_limits(open_page, market):
    market((PARITY, 1e-5), (DVOL, -0.5))

    page = open_page("quality")

    assert ":green[:material/check_circle:] 2 checks, all good." in [each.value for each in page.markdown]
    table = page.dataframe[1].value
    assert list(table["Check"]) == ["Put-call parity", "Chain against DVOL"]
    assert list(table["State"]) == ["Good", "Good"]
    assert list(table["Value"]) == ["0.0010 %", "-0.50 points"]
    assert list(table["Limit"]) == ["0.0500 %", "3.00 points"]


def test_checks_that_are_not_good_are_named_and_kept(open_page, market):
    market((PARITY, 0.001), (DVOL, 2.0), (ONE_IV, 0.0))

    page = open_page("quality")

    (told,) = (each.value for each in page.markdown if "not good" in each.value)
    assert told.startswith(":orange[:material/error:] 2 of 3 checks not good: warning, Put-call parity of options/BTC")
    newest, past = page.dataframe[1].value, page.dataframe[2].value
    assert list(newest["State"]) == ["Warning", "Good", "To note"]
    assert sorted(past["State"]) == ["To note", "Warning"]
    assert "Notes and warnings of these days" in captions(page)
