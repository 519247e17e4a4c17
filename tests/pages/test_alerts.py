"""Alerts in each of its states: the rules and how they stand, what fired, what was sent and who saw it."""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from pydantic import TypeAdapter
from streamlit.testing.v1 import AppTest

from pages.common.views import to_url
from settings import ROOT
from store.alerts import events
from store.alerts.events import Delivery, Event, Outcome
from store.alerts.in_force import put_in_force
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.rule_file import load_rules
from store.file.database import Database
from store.instants import HOUR, MINUTE
from store.ledger import runs
from store.ledger.logs import Log
from store.ledger.logs import note as note_log
from store.market import chains
from store.models import Run, Tick, utc_now
from store.prices.candles import floor
from tests.pages.conftest import captions, chart, errors, failed, recorder, warnings
from tests.support.carry import record_funding
from tests.support.events import alert, note
from tests.support.market import chain
from tests.support.stored import append
from tests.support.volatility import dvol, record_dvol

SECOND = timedelta(seconds=1)
RULES: list[dict[str, Any]] = [
    {"name": "Sharp move", "kind": "move", "percent": 5, "within": "15m", "direction": "up", "severity": "critical"},
    {"name": "Gap closed", "kind": "gap"},
]


@pytest.fixture
def recorded(database: Database) -> Database:
    """Five minutes of btc_usd up to now, from 100 to 103."""
    now = utc_now()
    append(database, *(observed(now - (300 - second) * SECOND, 100 + second / 100) for second in range(0, 301, 5)))
    return database


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader sits at the machine: Streamlit gives no address for such a reader."""
    monkeypatch.setattr(type(st.context), "ip_address", None)
    own = {"host": "localhost:8501", "origin": "http://localhost:8501"}
    monkeypatch.setattr(type(st.context), "headers", own)


def observed(at: datetime, price: float) -> Tick:
    return Tick("btc_usd", at, price, received_at=at)


def in_force(database: Database, rules: list[Any], fault: str = "") -> None:
    checked: list[AnyRule] = TypeAdapter(list[AnyRule]).validate_python(rules)
    with database.write() as cursor:
        put_in_force(cursor, checked, fault, utc_now())


def deliver(database: Database, event: Event, target: str, outcome: Outcome, detail: str = "") -> None:
    with database.write() as cursor:
        events.note_delivery(cursor, event.id, Delivery(target, outcome, utc_now(), detail, 1))


def cards(page: AppTest) -> list[str]:
    """The rules and the events, as Markdown."""
    return [each.value for each in page.markdown if "-badge[" in each.value]


def listed(page: AppTest) -> list[str]:
    """The texts of the events, in their order."""
    return [card.split("  \n")[1].replace("\\", "") for card in cards(page)]


def test_before_there_are_rules_it_says_how_to_make_some(open_page):
    page = open_page("alerts")

    without_rules, without_events = (box.value for box in page.info if "ticks" not in box.value)
    assert without_rules.startswith("No rules. Copy `alerts.example.toml` to `alerts.toml`")
    assert "TICKWELL_NOTIFY_URLS is not set" in without_rules
    assert without_events == "Nothing fired yet."
    assert not page.exception


def test_each_part_says_that_a_file_is_no_database(open_page, database_file: Path):
    database_file.write_text("This is no database.\n")

    page = open_page("alerts")

    assert len(page.error) == 1
    assert [line.split(" can't be read")[0] for line in failed(page)] == ["Rules", "The chart", "Events"]
    assert not page.exception


def test_a_rule_shows_its_conditions_and_how_far_each_is(open_page, recorded: Database):
    in_force(recorded, RULES)
    with recorder(recorded, indexes=("btc_usd",)):
        move, gap = cards(open_page("alerts"))

    assert move.split("  \n") == [
        "**Sharp move** :red-badge[critical]",
        "rises 5 % within 15 min",
        ":green[:material/check_circle:] BTC / USD: **3 % of 5 %**, 2 % to go",
        ":small[never fired, cool-down 15 min]",
    ]
    assert gap.split("  \n")[1:] == ["gap healed or unfillable", ":small[never fired]"]


def test_a_condition_that_holds_looks_unlike_one_that_is_far_from_it(open_page, recorded: Database):
    in_force(recorded, [RULES[0] | {"percent": percent, "name": f"{percent} %"} for percent in (2, 5)])
    with recorder(recorded, indexes=("btc_usd",)):
        near, far = (card.split("  \n")[2] for card in cards(open_page("alerts")))

    assert near == ":orange[:material/notifications:] BTC / USD: **3 % of 2 %**, holds"
    assert far.startswith(":green[:material/check_circle:] ")


def test_a_rule_for_all_indexes_leaves_other_feeds_out(open_page, recorded: Database):
    in_force(recorded, RULES[:1])
    with recorder(recorded, indexes=("btc_usd", "futures/BTC", "options/BTC")):
        (move,) = cards(open_page("alerts"))

    assert move.count(":material/") == 1


def test_many_rules_say_so_where_none_is_of_the_chosen_index(open_page, recorded: Database):
    many = tuple(f"coin{number}_usd" for number in range(100))
    in_force(recorded, RULES[:1])
    with recorder(recorded, indexes=many):
        page = open_page("alerts", index="btc_usd")

    assert page.info[0].value == "No rule watches BTC / USD: it is not recorded now."
    assert not page.exception
    assert not page.error


def test_a_level_says_why_it_waits(open_page, recorded: Database):
    level = {"name": "Level", "kind": "level", "price": 103.05, "indexes": ["btc_usd"]}
    in_force(recorded, [{**level, "direction": "up"}, {**level, "name": "Floor", "direction": "down"}])
    with recorder(recorded, indexes=("btc_usd",)):
        near, beyond = (card.split("  \n")[2].replace("\\", "") for card in cards(open_page("alerts")))

    assert near.endswith("**103.00**, can fire once the price was below 102.95")
    assert beyond.endswith("**103.00**, can fire once the price was above 103.15")


def test_rules_that_only_another_version_accepts_are_left_out_with_a_warning(open_page, recorded: Database):
    in_force(recorded, RULES)
    with recorded.write() as cursor:
        cursor.execute(
            """
            UPDATE alert_rules
            SET rules = '[{"name": "Never again", "kind": "level", "indexes": ["btc_usd"], "price": 5,'
                || ' "cool_down": "1036800000s"}]'
            """
        )

    page = open_page("alerts")

    (warning,) = (box.value for box in page.warning if "Never again" in box.value)
    assert warning.startswith("Rules of another version of Tickwell are left out.  \nrule Never again")
    assert not page.exception


def test_a_rule_that_fired_says_when(open_page, recorded: Database):
    in_force(recorded, RULES)
    event = alert(condition="rises 5 % within 15 min")
    note(recorded, event)

    with recorder(recorded, indexes=("btc_usd",)):
        move, *_ = cards(open_page("alerts"))

    assert f"fired {event.at:%H:%M:%S}" in move.split("  \n")[2]
    assert f"last fired {event.at:%H:%M:%S}" in move.split("  \n")[3].replace("\\", "")


def test_without_a_running_recorder_the_page_says_so(open_page, recorded: Database):
    in_force(recorded, RULES)

    assert captions(open_page("alerts"))[0].startswith("No recorder is running: nothing fires until one runs. ")


def test_targets_are_named_by_their_service_only(open_page, recorded: Database, monkeypatch):
    monkeypatch.setenv("TICKWELL_NOTIFY_URLS", "ntfy://s3cret,json://host/t0ken")
    in_force(recorded, RULES)
    with recorder(recorded, indexes=("btc_usd",)):
        page = open_page("alerts")

    assert captions(page)[0] == "Sent to ntfy, json. `python -m poller alerts test` tries them out."


def test_each_fault_of_a_broken_file_is_shown(open_page, recorded: Database):
    in_force(recorded, RULES, "alerts.toml, rule a: kind = 'b'\nalerts.toml, rule c: lacks price")

    (box,) = warnings(open_page("alerts"))

    assert box.startswith("The rules of before stay in force: the file can't be used.  \nalerts.toml, rule a")
    assert "rule c" in box


@pytest.mark.parametrize("count", [1, 90])
def test_an_hour_of_a_log_that_still_loads_does_not_pass_for_now(open_page, recorded: Database, count: int):
    hour = floor(utc_now(), HOUR) - 1000 * HOUR
    record_funding(recorded, hour, 24)
    rules = [{"name": f"Longs {each}", "kind": "funding", "over": "8h", "above": -999} for each in range(count)]
    in_force(recorded, rules)
    with recorded.write() as cursor:
        runs.note(cursor, Run(utc_now() - MINUTE, {"btc_usd": 5, "futures/BTC": 60}, "0"))
        note_log(cursor, Log("funding/BTC-PERPETUAL", hour, period_s=3600))

    with recorder(recorded, indexes=("btc_usd",)):
        page = open_page("alerts", tz="UTC")

    (said, *_) = page.dataframe[0].value["Distance"] if count > 1 else cards(page)
    unknown = f"too little is known: nothing newer than {hour.day} {hour:%b %Y, %H:%M:%S}"
    assert unknown in said.replace("\\", "")
    assert "%" not in said.replace("-999 %", "")


def test_many_rules_are_a_table(open_page, recorded: Database):
    in_force(recorded, [{**RULES[0], "name": f"rule {number}"} for number in range(90)])
    with recorder(recorded, indexes=("btc_usd",)):
        page = open_page("alerts")

    (table,) = page.dataframe
    assert list(table.value["Rule"]) == [f"rule {number}" for number in range(90)]
    assert set(table.value["Now"]) == {"3 % of 5 %"}
    assert not cards(page)


def test_the_example_rules_are_shown(open_page, recorded: Database):
    rules = load_rules(ROOT / "alerts.example.toml", ("btc_usd", "eth_usd"), leave_out=True)
    in_force(recorded, [rule.model_dump(by_alias=True, exclude_unset=True) for rule in rules])

    page = open_page("alerts", index="btc_usd")

    assert len(cards(page)) == len(rules)
    assert not [card for card in cards(page) if "ETH" in card]
    assert not page.exception


def test_an_event_shows_its_delivery_to_each_target(open_page, recorded: Database):
    now = utc_now()
    told = alert("told", ["ntfy", "ntfy 2", "json"], at=now - 10 * SECOND)
    quiet = alert("quiet", ["ntfy"], at=now - 9 * SECOND, send_after=now + timedelta(days=3))
    note(recorded, told, quiet, alert("quietly", [], at=now), alert("late", ["ntfy"], at=now - 8 * SECOND))
    deliver(recorded, told, "ntfy", "sent")
    deliver(recorded, told, "ntfy 2", "failed", "refused_")
    deliver(recorded, told, "json", "given up", "gone")

    page = open_page("alerts")

    quietly, late, waits, became = (card.split("  \n")[2].replace("\\", "") for card in cards(page))
    assert quietly == ":small[shown here only]"
    assert late == ":small[ntfy: not sent yet]"
    assert waits.startswith(":small[ntfy: waits for the end of quiet hours, ")
    assert became.startswith(":small[ntfy: sent ")
    assert became.endswith("; ntfy 2: not sent yet, tried once: refused_; json: not sent, given up: gone]")


def test_events_are_filtered_by_index_severity_and_acknowledgement(open_page, recorded: Database):
    events_ = [
        alert("a", severity="critical"),
        alert("b", severity="info"),
        alert("c", severity="critical", index_name="eth_usd"),
    ]
    note(recorded, *events_)
    with recorded.write() as cursor:
        events.acknowledge(cursor, events_[0].id, utc_now(), "me@example.com")

    assert listed(open_page("alerts")) == ["c", "b", "a"]
    assert listed(open_page("alerts", severity="Critical")) == ["c", "a"]
    assert listed(open_page("alerts", index="eth_usd")) == ["c"]
    assert listed(open_page("alerts", open="true")) == ["c", "b"]
    assert "acknowledged by me@example.com" in cards(open_page("alerts"))[2].replace("\\", "")
    assert open_page("alerts", severity="Warning").info[-1].value == "No event of this kind."


def test_events_are_turned_over_page_by_page(open_page, recorded: Database):
    note(recorded, *(alert(str(number)) for number in range(50)))
    newest_first = [str(number) for number in reversed(range(50))]
    page = open_page("alerts")
    first = listed(page), turns(page), page.query_params.get("page")

    page.button[-1].click().run()
    second = listed(page), turns(page), page.query_params["page"]
    page.button[-1].click().run()
    third = listed(page), turns(page), page.query_params["page"]
    page.button[-2].click().run()

    assert first == (newest_first[:20], {"Newer": False, "Older": True}, None)
    assert second == (newest_first[20:40], {"Newer": True, "Older": True}, "2")
    assert third == (newest_first[40:], {"Newer": True, "Older": False}, "3")
    assert listed(page) == newest_first[20:40]
    assert any("Events 21 to 40" in caption for caption in captions(page))


def turns(page: AppTest) -> dict[str, bool]:
    """Whether the buttons that turn pages can be pressed."""
    return {button.label: not button.disabled for button in page.button if button.label in {"Newer", "Older", "Newest"}}


@pytest.mark.parametrize("choice", ["severity", "open", "index"])
def test_another_choice_of_events_begins_with_their_first_page(open_page, recorded: Database, choice: str):
    note(recorded, *(alert(str(number), severity="critical") for number in range(50)))
    page = open_page("alerts", page="2")

    if choice == "severity":
        page.segmented_control(key=choice).set_value("Critical").run()
    elif choice == "open":
        page.toggle(key=choice).set_value(True).run()
    else:
        page.selectbox(key=choice).set_value("btc_usd").run()

    assert any("Events 1 to 20" in caption for caption in captions(page))
    assert "page" not in page.query_params


def test_a_page_beyond_the_oldest_event_leads_back_to_the_newest(open_page, recorded: Database):
    note(recorded, *(alert(str(number)) for number in range(20)))
    page = open_page("alerts", page="999999")
    said = [box.value for box in page.info]

    page.button[-1].click().run()

    assert said[-1] == "No event is that old."
    assert len(listed(page)) == 20
    assert turns(page) == {}
    assert "page" not in page.query_params


@pytest.mark.parametrize("number", ["nope", "-5", "٤", "1e3", "0", "1000000"])
def test_an_impossible_page_in_the_address_is_the_first_one(open_page, recorded: Database, number: str):
    note(recorded, *(alert(str(number)) for number in range(30)))

    page = open_page("alerts", page=number)

    assert len(listed(page)) == 20
    assert not page.exception


@pytest.mark.usefixtures("here")
def test_a_reader_at_the_machine_acknowledges_one_event_and_all(open_page, recorded: Database):
    note(recorded, *(alert(text) for text in "abc"))
    page = open_page("alerts")

    page.button[1].click().run()
    assert seen(recorded) == {"c": "local"}

    (all_shown,) = [button for button in page.button if button.label == "Acknowledge all 2 shown"]
    all_shown.click().run()
    assert seen(recorded) == dict.fromkeys("abc", "local")
    assert not page.button


def seen(database: Database) -> dict[str, str]:
    with database.read() as cursor:
        found = events.newest(cursor, limit=10)
    return {told.event.text: told.reader for told in found if told.acknowledged_at}


def test_a_reader_who_may_not_acknowledge_learns_how_to(open_page, recorded: Database, monkeypatch):
    monkeypatch.setattr(type(st.context), "ip_address", "192.0.2.7")
    note(recorded, alert("a"))

    page = open_page("alerts")

    assert not page.button
    assert captions(page)[-1] == "To acknowledge alerts, sign in, or open this page on the machine that serves it."


@pytest.mark.usefixtures("here")
def test_a_failed_acknowledgement_is_one_line(open_page, recorded: Database):
    note(recorded, alert("a"))
    page = open_page("alerts")
    do(recorded, "ALTER TABLE alert_acknowledgements RENAME TO taken")
    st.cache_data.clear()

    page.button[0].click().run()

    failed = [text for text in errors(page) if text.startswith("Not noted.")]  # the page's own read fails as well
    assert [text.startswith("Not noted. ticks.duckdb: Catalog Error: ") for text in failed] == [True]
    do(recorded, "ALTER TABLE taken RENAME TO alert_acknowledgements")
    assert seen(recorded) == {}


def do(database: Database, statement: str) -> None:
    with database.write() as cursor:
        cursor.execute(statement)


def test_the_chart_marks_each_alert_at_its_price(open_page, recorded: Database):
    at = utc_now().replace(microsecond=0) - 60 * SECOND
    note(recorded, alert("BTC / USD <rose>", at=at, price=102.4), alert("no price", at=at, price=float("nan")))

    page = open_page("alerts", range="1h")

    (mark,) = [trace for trace in chart(page, "alerts")["figure"]["data"] if trace["meta"]["part"] == "alert"]
    assert mark["x"] == [at.replace(tzinfo=None).isoformat()]
    assert mark["y"] == [102.4]
    assert mark["cliponaxis"] is False
    assert mark["hovertext"] == ["Sharp move, critical<br>BTC / USD &lt;rose&gt;"]
    assert "2 alerts. Diamonds" in "".join(captions(page))


def test_a_range_without_alerts_says_so(open_page, recorded: Database):
    page = open_page("alerts", range="1h")

    assert "No alert in this range." in " ".join(captions(page))
    assert "Diamonds" not in " ".join(captions(page))


def test_an_exact_range_in_the_address_has_its_prices_and_its_alerts(open_page, recorded: Database):
    end = utc_now().replace(microsecond=0) - 60 * SECOND
    start = end - 120 * SECOND
    inside, before = alert("in", at=start + 30 * SECOND, price=101), alert("before", at=start - 30 * SECOND, price=100)
    note(recorded, inside, before)

    page = open_page("alerts", start=to_url(start), end=to_url(end))

    drawn = chart(page, "alerts")["figure"]
    assert drawn["layout"]["xaxis"]["range"] == [at.replace(tzinfo=None).isoformat(" ") for at in (start, end)]
    (mark,) = [trace for trace in drawn["data"] if trace["meta"]["part"] == "alert"]
    assert mark["x"] == [inside.at.replace(tzinfo=None).isoformat()]
    assert set(listed(page)) == {"in", "before"}


def test_on_a_host_that_ignores_our_server_the_page_shows_bad_settings(open_page, monkeypatch):
    monkeypatch.setenv("TICKWELL_NOTIFY_URLS", "strange://s3cret")

    page = open_page("alerts")

    assert errors(page) == ["TICKWELL_NOTIFY_URLS: the 1st address, strange, is not one that apprise knows"]
    assert not page.title


MARKET_RULES: list[dict[str, Any]] = [
    {"name": "DVOL", "kind": "dvol", "above": 70, "severity": "critical"},
    {"name": "Skew", "kind": "skew", "tenor": "30d", "below": -5},
    {"name": "No chains", "kind": "stale", "slots": 3, "indexes": ["options/BTC"]},
    RULES[0],
]


@pytest.fixture
def with_market(recorded: Database) -> Database:
    """The same, with DVOL of an hour, and a chain of five minutes ago."""
    now = utc_now().replace(microsecond=0)
    record_dvol(recorded, floor(now, MINUTE) - timedelta(hours=1), floor(now, MINUTE), MINUTE)
    with recorded.write() as cursor:
        chains.append(cursor, [chain("BTC", now - timedelta(seconds=300 + now.second % 2))])
        runs.note(cursor, Run(now - timedelta(hours=1), {"btc_usd": 5, "futures/BTC": 60, "options/BTC": 300}, "0"))
        note_log(cursor, Log("dvol/BTC", now, period_s=60))
        note_log(cursor, Log("dvol/SOL", now))
    return recorded


def test_rules_of_a_market_say_how_far_each_number_is(open_page, with_market: Database):
    in_force(with_market, MARKET_RULES)
    with recorder(with_market, indexes=("btc_usd",)):
        page = open_page("alerts")

    dvol_card, skew, chains_card, move = (card.replace("\\", "").split("  \n") for card in cards(page))
    now = dvol(floor(utc_now(), MINUTE) - MINUTE)
    assert dvol_card[1] == "DVOL above 70 % a year"
    assert re.fullmatch(r".*BTC: \*\*[0-9.]+ % against 70 %\*\*, [0-9.]+ points to go", dvol_card[2])
    assert float(re.findall(r"\*\*([0-9.]+)", dvol_card[2])[0]) == pytest.approx(now, abs=2)
    assert re.fullmatch(r".*BTC: \*\*-?[0-9.]+ against -5\*\*, [0-9.]+ points to go", skew[2])
    assert chains_card[2].endswith("options/BTC: **1 of 3 slots**, 2 slots to go")
    assert move[2].endswith("2 % to go")
    assert page.selectbox[0].options == ["All", "btc_usd", "eth_usd", "dvol/BTC", "options/BTC"]


def test_a_feed_of_a_market_has_its_rules_its_number_and_its_events(open_page, with_market: Database):
    in_force(with_market, MARKET_RULES)
    of_dvol: dict[str, Any] = {"index_name": "dvol/BTC", "condition": "DVOL above 70 % a year", "price": 71.0}
    note(with_market, alert("BTC DVOL is 71", at=utc_now() - MINUTE, **of_dvol), alert("up"))
    with recorder(with_market, indexes=("btc_usd",)):
        page = open_page("alerts", index="dvol/BTC")

    dvol_card, event = cards(page)
    assert dvol_card.startswith("**DVOL**")
    assert "BTC DVOL is 71" in event
    assert [each.value for each in page.header] == ["Rules", "BTC DVOL and its alerts", "Events"]
    line, mark = chart(page, "values")["figure"]["data"]
    assert [(trace["meta"]["part"], trace["name"]) for trace in (line, mark)] == [
        ("line", "BTC DVOL"),
        ("alert", "alert, critical"),
    ]
    assert mark["y"] == [71.0]
    assert len(line["x"]) in {59, 60}  # the hour that is shown ends up to a minute after the newest value
    assert any(each.startswith("1 alert. Diamonds are critical") for each in captions(page))
    assert not page.exception


def test_the_line_of_a_number_breaks_in_a_gap_and_of_two_numbers_one_is_chosen(open_page, with_market: Database):
    oi = {"name": "oi", "kind": "open_interest", "of": "options", "percent": 5, "within": "1h"}
    in_force(with_market, [MARKET_RULES[1], oi])
    with with_market.write() as cursor:
        for hours in (2, 3, 9):
            at = utc_now().replace(microsecond=0) - timedelta(hours=hours)
            chains.append(cursor, [chain("BTC", at - timedelta(seconds=at.second % 2))])
    with recorder(with_market, indexes=("btc_usd",)):
        page = open_page("alerts", index="options/BTC", number="open interest of options")

    line, *_ = chart(page, "values")["figure"]["data"]
    assert line["name"] == "BTC open interest of options"
    assert len(line["x"]) == 5
    assert not page.exception


def test_a_number_without_a_value_in_the_range_says_so(open_page, with_market: Database):
    in_force(with_market, [MARKET_RULES[1]])
    with with_market.write() as cursor:
        cursor.execute("DELETE FROM surfaces")
    with recorder(with_market, indexes=("btc_usd",)):
        page = open_page("alerts", index="options/BTC")

    assert "No value in this range." in [box.value for box in page.info]


def test_a_feed_of_which_no_number_is_watched_has_no_chart(open_page, with_market: Database):
    in_force(with_market, [MARKET_RULES[2]])
    with recorder(with_market, indexes=("btc_usd",)):
        page = open_page("alerts", index="options/BTC")

    assert [each.value for each in page.header] == ["Rules", "Events"]


def test_an_event_of_a_market_has_no_mark_on_a_chart_of_prices(open_page, with_market: Database):
    note(with_market, alert("BTC DVOL is 71", index_name="dvol/BTC", price=71.0, value=71.0))

    page = open_page("alerts")

    drawn = chart(page, "alerts")["figure"]["data"]
    assert [trace for trace in drawn if trace["meta"]["part"] == "alert"] == []
    assert listed(page) == ["BTC DVOL is 71"]
