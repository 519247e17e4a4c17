"""Overview in each of its states, on a real database."""

import base64
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from streamlit.proto.Metric_pb2 import Metric
from streamlit.testing.v1 import AppTest

from pages.common.views import to_url
from store.instants import MINUTE
from store.ledger import gaps, runs
from store.models import Cause, Gap, GapState, Miss, Run, Tick, utc_now
from store.prices import averages
from tests.conftest import START
from tests.pages.conftest import captions, chart, format_of, parts, recorder
from tests.support.stored import append


def described(page: AppTest, number: int = 0) -> str:
    """The words of a card besides its change."""
    words: str = page.metric[number].proto.delta_description
    return words


def drawings(page: AppTest) -> list[str]:
    """The labels of the drawings on the cards, for readers who can't see them."""
    return re.findall(r'role="img" aria-label="(.*?)"', " ".join(html.value for html in page.html))


def test_before_anything_is_recorded_each_index_says_so(open_page):
    page = open_page()

    assert [(metric.label, metric.value) for metric in page.metric] == [("BTC / USD", "—"), ("ETH / USD", "—")]
    assert captions(page) == ["No data yet", "No data yet"]
    assert [box.value for box in page.info] == ["Nothing is recorded in this range yet."]
    assert not page.exception


def test_a_card_shows_price_change_range_and_age(open_page, database):
    now = utc_now()
    append(
        database,
        Tick("btc_usd", now - timedelta(hours=3), 100_000.0),
        Tick("btc_usd", now - timedelta(hours=2), 98_000.0),
        Tick("btc_usd", now - timedelta(hours=1), 104_000.0),
        Tick("btc_usd", now, 101_000.0),
    )

    page = open_page()

    btc = page.metric[0]
    assert (btc.label, btc.value, btc.delta) == ("BTC / USD", "101,000.00", "+1.00 %")
    assert re.fullmatch(rf"up since (\d+ \w+, )?{now - timedelta(hours=3):%H:%M}", described(page))
    words = "24 h low 98,000.00, high 104,000.00"
    assert re.fullmatch(rf"{words}  \n\d s old, {now:%H:%M:%S}", captions(page)[0])
    assert drawings(page) == [f"BTC / USD, {words}"]
    assert not page.exception


@pytest.mark.parametrize(
    ("price", "delta", "words"),
    [(101.0, "+1.00 %", "up in 24 h"), (99.0, "-1.00 %", "down in 24 h"), (100.0, "0.00 %", "unchanged in 24 h")],
)
def test_a_change_is_also_in_words(open_page, database, price, delta, words):
    now = utc_now()
    append(database, Tick("btc_usd", now - timedelta(hours=24), 100.0), Tick("btc_usd", now, price))

    page = open_page()

    assert (page.metric[0].delta, described(page)) == (delta, words)
    assert (page.metric[0].proto.direction == Metric.MetricDirection.NONE) == (words.startswith("unchanged"))


def test_times_on_a_card_are_those_of_the_visitor(open_page, database):
    now = utc_now()
    append(database, Tick("btc_usd", now - timedelta(hours=1), 100.0), Tick("btc_usd", now, 100.0))

    page = open_page(timezone="Asia/Kathmandu")

    local = now.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert re.fullmatch(rf"unchanged since (\d+ \w+, )?{local - timedelta(hours=1):%H:%M}", described(page))
    assert captions(page)[0].endswith(f"old, {local:%H:%M:%S}")


def test_an_old_price_is_marked_stale(open_page, database):
    append(database, Tick("btc_usd", utc_now() - timedelta(minutes=5), 100_000.0))

    page = open_page()

    assert "orange" in captions(page)[0]
    assert "Stale, 5 min old" in captions(page)[0]


def test_an_average_as_the_only_price_is_marked_as_such(open_page, database):
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(utc_now() - timedelta(hours=2), 100_000.0)], 3600)

    page = open_page()

    assert page.metric[0].value == "100,000.00"
    assert "24 h low 100,000.00, high 100,000.00, in part from averages" in captions(page)[0]
    assert "Stale, Average over 1 h, 2 h old" in captions(page)[0]
    assert parts(page, "all-indexes") == ["averages", "alone"]
    assert not page.exception


def test_an_observed_price_stays_although_an_average_is_newer(open_page, database):
    now = utc_now()
    append(database, Tick("btc_usd", now - timedelta(minutes=20), 100_000.0))
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(now - timedelta(minutes=10), 500_000.0)], 60)

    page = open_page()

    assert page.metric[0].value == "100,000.00"
    assert "averages" not in captions(page)[0]


def test_an_index_that_is_no_longer_configured_stays_visible(open_page, database):
    append(database, Tick("sol_usdc", utc_now(), 150.0))

    page = open_page()

    assert [metric.label for metric in page.metric] == ["BTC / USD", "ETH / USD", "SOL / USDC"]


@pytest.mark.parametrize(("indexes", "cards", "tables"), [(12, 12, 0), (13, 0, 1)])
def test_dozens_of_indexes_become_a_table(open_page, database, monkeypatch, indexes, cards, tables):
    names = [f"i{number}_usd" for number in range(indexes)]
    monkeypatch.setenv("TICKWELL_INDEXES", ",".join(names))
    monkeypatch.setenv("TICKWELL_POLL_SECONDS", "60")
    append(database, Tick(names[0], utc_now(), 100.0))

    page = open_page()

    assert (len(page.metric), len(page.dataframe)) == (cards, tables)
    assert not page.exception


def test_a_row_of_the_table_says_what_a_card_does(open_page, database, monkeypatch):
    names = [f"i{number}_usd" for number in range(13)]
    monkeypatch.setenv("TICKWELL_INDEXES", ",".join(names))
    monkeypatch.setenv("TICKWELL_POLL_SECONDS", "60")
    now = utc_now()
    append(
        database,
        Tick(names[0], now - timedelta(hours=2), 50.0),
        Tick(names[0], now - timedelta(hours=1), 100.0),
        Tick(names[1], now - timedelta(hours=1), 100.0),
        Tick(names[1], now, 101.0),
    )

    table = open_page().dataframe[0]

    rows = table.value
    assert list(rows["Index"])[:3] == ["I0 / USD", "I1 / USD", "I2 / USD"]
    stale, fresh, empty = (rows.iloc[number] for number in range(3))
    assert list(stale[["Price", "Low", "High", "Change", "State"]]) == [100.0, 50.0, 100.0, 100.0, "Stale"]
    assert stale["Age"] == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=1))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fresh["Time, UTC"])
    assert (fresh["State"], empty["State"]) == ("Fresh", "No data yet")
    assert empty[["Price", "Low", "High", "Change", "Age", "Time, UTC"]].isna().all()
    assert format_of(table, "Price") == "%,.2f"


def test_all_indexes_are_drawn_on_one_scale(open_page, database):
    now = utc_now()
    for name, price in (("btc_usd", 100_000.0), ("eth_usd", 4000.0)):
        append(database, *(Tick(name, now - timedelta(minutes=minute), price) for minute in range(3)))

    page = open_page()

    drawn = chart(page, "all-indexes")
    assert [trace["name"] for trace in drawn["figure"]["data"]] == ["BTC / USD", "ETH / USD"]
    assert drawn["alt"].startswith("BTC / USD from ")
    assert "ETH / USD from " in drawn["alt"]
    assert drawn["zooms"] is True
    assert not page.info


@pytest.mark.parametrize(
    ("address", "span"),
    [({}, "1y"), ({"range": "1h"}, "1h"), ({"range": "nope"}, "1y"), ({"span": "1h"}, "1h"), ({"span": "nope"}, "1y")],
)
def test_the_range_of_the_chart_is_that_of_the_address_if_there_is_one(open_page, database, address, span):
    now = utc_now()
    append(database, *(Tick("btc_usd", now - timedelta(hours=hour), 100.0) for hour in (0, 0.1, 0.2, 30, 31, 32)))

    page = open_page(**address)

    first = datetime.fromisoformat(chart(page, "all-indexes")["figure"]["data"][0]["x"][0]).replace(tzinfo=UTC)
    assert page.segmented_control(key="range 0").value == span
    assert page.query_params == ({} if span == "1y" else {"range": "1h"})
    assert (now - first > timedelta(hours=1)) is (span == "1y")


def test_another_range_can_be_chosen(open_page, database):
    append(database, Tick("btc_usd", utc_now() - timedelta(hours=5), 100.0))
    page = open_page()

    page.segmented_control(key="range 0").set_value("1h").run()

    assert [box.value for box in page.info] == ["Nothing is recorded in this range yet."]
    assert page.metric[0].value == "100.00"
    assert not page.exception


def test_an_exact_range_in_the_address_has_each_index_at_100_at_its_first_tick_there(open_page, database):
    append(database, *(Tick("btc_usd", START + minute * MINUTE, 100.0 + minute) for minute in range(60)))
    start, end = START + 30 * MINUTE, START + 40 * MINUTE

    page = open_page(start=to_url(start), end=to_url(end))

    assert page.segmented_control(key="range 0").value == "Exact"
    drawn = chart(page, "all-indexes")["figure"]
    assert [datetime.fromisoformat(at).replace(tzinfo=UTC) for at in drawn["layout"]["xaxis"]["range"]] == [start, end]
    (line,) = drawn["data"]
    drawn_at = np.frombuffer(base64.b64decode(line["y"]["bdata"]))
    prices = np.arange(130.0, 140.0)
    assert drawn_at == pytest.approx(100 * prices / prices[0])


def test_an_exact_range_without_ticks_can_be_zoomed_out_of(open_page, database):
    append(database, *(Tick("btc_usd", START + minute * MINUTE, 100.0 + minute) for minute in range(60)))

    page = open_page(start=to_url(START - 15 * MINUTE), end=to_url(START - 5 * MINUTE))
    empty = [box.value for box in page.info]
    page.button[0].click().run()

    assert empty == ["Nothing is recorded in this range."]
    assert page.query_params["start"] == to_url(START - 20 * MINUTE)
    assert page.query_params["end"] == to_url(START)


def test_a_day_without_errors_says_so(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100.0))
    with database.write() as cursor:
        old = utc_now() - timedelta(hours=25)
        runs.append_misses(cursor, [Miss(old, "btc_usd", Cause.UNREACHABLE, "refused")])

    page = open_page()

    assert captions(page)[-1] == ":green[:material/check_circle:] No error in the last 24 h."


def test_a_day_without_errors_is_not_fine_when_nothing_was_recorded(open_page, database):
    with database.write() as cursor:
        runs.note(cursor, Run(utc_now() - timedelta(hours=3), {"btc_usd": 5}, "1"))
    append(database, Tick("btc_usd", utc_now() - timedelta(hours=2), 100.0))

    page = open_page()

    assert captions(page)[-1] == ":material/info: No error in the last 24 h, but a gap."


def test_errors_of_the_last_day_are_shown_by_cause_in_the_visitors_time(open_page, database):
    now = utc_now().replace(microsecond=0)
    append(database, Tick("btc_usd", now, 100.0))
    slots = [now - timedelta(minutes=minute) for minute in (12, 11, 10)]
    refused = [Miss(slot, name, Cause.UNREACHABLE, "refused *") for slot in slots for name in ("btc_usd", "eth_usd")]
    with database.write() as cursor:
        runs.append_misses(cursor, [*refused, Miss(now, "btc_usd", Cause.REJECTED_REPLY, "no price")])

    page = open_page(timezone="Asia/Kathmandu")

    last, before = captions(page)[-2:]
    assert re.search(r"Rejected reply: 1 slot missed, at .*:\d\d\. The last: no price$", last)
    first = slots[0].astimezone(ZoneInfo("Asia/Kathmandu"))
    assert f"Unreachable: 3 slots missed, {first.day} {first:%b %Y, %H:%M:%S} to " in before
    assert before.endswith(r"The last: refused \*")


def covered(database, missing: int, healed: int, ahead_s: float = 0) -> None:
    """A run of 1,000 slots up to now at 5 s; some slots failed, and some of these were healed."""
    end = datetime.fromtimestamp(int(utc_now().timestamp() + ahead_s) // 5 * 5, UTC)
    slots = [end - timedelta(seconds=5 * number) for number in range(1000, 0, -1)]
    begin = slots[500]
    pieces: list[tuple[datetime, int, GapState]] = [
        (begin, missing, "open"),
        (begin + timedelta(seconds=5 * missing), healed, "healed"),
    ]
    gaps_noted = [
        Gap("btc_usd", start, start + timedelta(seconds=5 * count), count, 5, "unreachable", "", state, gap=start)
        for start, count, state in pieces
        if count
    ]
    seen = [*slots[:500], *slots[500 + missing + healed :]]
    append(database, *(Tick("btc_usd", slot + timedelta(milliseconds=6), 100.0, received_at=slot) for slot in seen))
    with database.write() as cursor:
        runs.note(cursor, Run(slots[0], {"btc_usd": 5}, "1"))
        gaps.note(cursor, gaps_noted, end)


@pytest.mark.parametrize(
    ("missing", "healed", "words", "percent"),
    [
        (0, 0, r"24 h coverage (100) % of (?:1,00\d|99\d) slots", [100]),
        (0, 100, r"24 h coverage (100) % of (?:1,00\d|99\d) slots, (\S+) % healed", [100, 10]),
        (50, 0, r"24 h coverage (\S+) % of (?:1,00\d|99\d) slots", [95]),
        (20, 30, r"24 h coverage (\S+) % of (?:1,00\d|99\d) slots, (\S+) % healed", [98, 3]),
    ],
)
def test_a_card_shows_how_complete_its_last_24_hours_are(open_page, database, missing, healed, words, percent):
    covered(database, missing, healed)

    page = open_page()

    found = re.fullmatch(words, captions(page)[0].split("  \n")[1])
    assert found is not None
    assert [float(each) for each in found.groups()] == pytest.approx(
        percent, abs=0.05
    )  # a few more or less slots may be due
    assert not page.exception


def test_slots_that_are_still_to_come_are_no_gap_in_the_chart(open_page, database):
    ahead_s = 61 - utc_now().timestamp() % 60  # by the exchange's clock a minute began: the chart goes on to its end
    covered(database, 0, 0, ahead_s)

    with recorder(database, skew_s=ahead_s):
        page = open_page(range="1d")

    assert parts(page, "all-indexes") == ["line"]


def test_the_table_of_many_indexes_has_their_coverage(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_INDEXES", ",".join(["btc_usd", *(f"x{number}_usd" for number in range(12))]))
    covered(database, 50, 0)

    page = open_page()

    btc, *others = page.dataframe[0].value["Coverage"]
    assert btc == pytest.approx(95, abs=0.2)
    assert np.isnan(others).all()


def test_gaps_are_marked_in_the_chart(open_page, database):
    covered(database, 20, 30)

    page = open_page(range="1d")

    assert parts(page, "all-indexes")[-2:] == ["healed", "missing"]


def test_an_index_without_any_tick_does_not_count_as_complete(open_page, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_INDEXES", ",".join(["btc_usd", *(f"x{number}_usd" for number in range(12))]))
    covered(database, 0, 0)
    now = utc_now().replace(microsecond=0)
    start = now - timedelta(minutes=10)
    with database.write() as cursor:
        runs.note(cursor, Run(start, {"btc_usd": 5, "x0_usd": 5}, "1"))
        gaps.note(cursor, [Gap("x0_usd", start, now, 120, 5, "unreachable", "", gap=start)], now)

    page = open_page(range="1y")

    assert page.dataframe[0].value["Coverage"][1] < 100


def test_a_link_leads_to_coverage_and_gaps(open_page, database):
    covered(database, 0, 0)

    page = open_page()

    (link,) = page.get("page_link")
    assert (link.proto.page, link.proto.label) == ("quality", "Coverage and gaps")


def test_a_price_is_stale_by_the_period_of_the_recorder(open_page, database):
    append(database, Tick("btc_usd", utc_now() - timedelta(minutes=4), 100_000.0))

    with recorder(database, poll_seconds=300):
        page = open_page()

    assert "4 min old" in captions(page)[0]
    assert "Stale" not in captions(page)[0]
