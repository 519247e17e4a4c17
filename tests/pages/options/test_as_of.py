"""Options as of a moment, and the bar that leads from one to another."""

import json
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from store.instants import DAY, MINUTE
from store.ledger import runs
from store.models import Cause, Miss, Run
from tests.pages.conftest import Open
from tests.support.market import chain

from .seen import expiry_of, headline, metrics, traces


def test_as_of_a_moment_the_chain_of_then_is_shown_and_nothing_later(open_page: Open, record, ts):
    then = chain("BTC", ts - DAY)
    record(then, chain("BTC", ts))
    address = {"at": f"{ts - DAY + MINUTE:%Y-%m-%dT%H:%M:%SZ}", "expiry": expiry_of(then)[0]}
    page = open_page("options", **address)
    before = shown(page)

    record(chain("BTC", ts - DAY + 2 * MINUTE))
    page = open_page("options", **address)

    at = ts - DAY
    assert f"as of {at.day} {at:%b %Y, %H:%M:%S} (1 min old then)" in headline(page)
    assert shown(page) == before
    np.testing.assert_allclose(
        traces(page, "by-strike")["Calls"]["y"],
        expiry_of(then)[1].pivot(index="strike", columns="side", values="oi")["call"],
    )


def shown(page: AppTest) -> list[Any]:
    """All that a page shows of a chain."""
    keys = ("calendar", "smile", "by-strike", "terms")
    return [headline(page), metrics(page), *(json.loads(page.get_by_key(key).proto.json)["figure"] for key in keys)]


def test_a_missing_chain_is_told_with_its_cause_and_links_to_its_neighbours(open_page: Open, record, database, ts):
    slot = datetime.fromtimestamp(ts.timestamp() // 300 * 300, ts.tzinfo) - 60 * MINUTE
    first, last = slot - 10 * MINUTE, slot + 10 * MINUTE
    record(chain("BTC", first), chain("BTC", last))
    with database.write() as cursor:
        runs.note(cursor, Run(first - MINUTE, {"options/BTC": 300}, "1"))
        missed = [slot + number * 5 * MINUTE for number in (-1, 0, 1)]
        runs.append_misses(cursor, [Miss(at, "options/BTC", Cause.UNREACHABLE, "no route") for at in missed])

    page = open_page("options", at=f"{slot + MINUTE:%Y-%m-%dT%H:%M:%SZ}")

    (box,) = [box.value.replace("\\", "") for box in page.warning if "No option chain" in box.value]
    assert box.endswith(": unreachable.")
    links = {button.label: button for button in page.button if button.label.startswith("The nearest")}
    assert list(links) == [
        f"The nearest {word}: {at.day} {at:%b %Y, %H:%M:%S}" for word, at in (("before", first), ("after", last))
    ]
    assert not page.metric

    next(iter(links.values())).click().run()

    assert page.query_params["at"] == f"{first:%Y-%m-%dT%H:%M:%SZ}"
    assert f"as of {first.day} {first:%b %Y, %H:%M:%S}" in headline(page)


def test_the_bar_steps_from_snapshot_to_snapshot_and_back_to_now(open_page: Open, record, ts):
    times = [ts - 10 * MINUTE, ts - 5 * MINUTE, ts]
    record(*(chain("BTC", at) for at in times))
    page = open_page("options")
    assert [button(page, label).disabled for label in ("Now", "Later")] == [True, True]

    seen, told = [], []
    for arrow in (*3 * ["Earlier"], *3 * ["Later"]):
        button(page, arrow).click().run()
        seen.append(page.query_params.get("at"))
        told += [each.value for each in page.toast]

    second, first, newest = (f"{times[number]:%Y-%m-%dT%H:%M:%SZ}" for number in (1, 0, 2))
    assert seen == [second, first, first, second, newest, None]
    assert told == ["There is no snapshot before."]


def test_a_day_and_a_week_before_are_counted_from_what_is_shown(open_page: Open, record, ts):
    record(chain("BTC", ts))
    page = open_page("options", at=f"{ts:%Y-%m-%dT%H:%M:%SZ}")

    button(page, "−1 d").click().run()
    button(page, "−7 d").click().run()

    assert page.query_params["at"] == f"{ts - 8 * DAY:%Y-%m-%dT%H:%M:%SZ}"


def test_a_typed_time_is_one_of_the_readers_zone(open_page: Open, record):
    record(chain("BTC", datetime.fromisoformat("2026-06-01T10:00:00Z")))
    page = open_page("options", "Europe/Berlin", at="2026-06-01T10:04Z")
    assert page.datetime_input[0].value == datetime.fromisoformat("2026-06-01T12:04")

    page.datetime_input[0].set_value(datetime.fromisoformat("2026-06-01T12:02")).run()

    assert page.query_params["at"] == "2026-06-01T10:02:00Z"


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("soon", "must be a time such as 2026-11-22T18:00Z. Now is shown."),
        ("2099-01-01", "still to come. Now is shown."),
    ],
)
def test_a_time_in_the_address_that_is_none_or_to_come_is_told_and_now_is_shown(open_page: Open, record, ts, at, why):
    record(chain("BTC", ts))

    page = open_page("options", at=at)

    assert any(why in box.value for box in page.warning)
    assert "old)" in headline(page)


def button(page: AppTest, label: str) -> Any:
    return next(each for each in page.button if each.label == label)
