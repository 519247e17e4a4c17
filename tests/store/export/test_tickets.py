"""A ticket allows the download of one export for five minutes."""

from datetime import timedelta
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.export import tickets
from tests.conftest import START

KEY = "a key of tests"
QUERY = "ticker=btc_usd&ticker=eth_usd&start=2026-11-01&end=2026-11-02&format=csv"
NAMES = st.text(min_size=1).filter(lambda name: name != "ticket")


def ticketed(query: str = QUERY, key: str = KEY) -> str:
    return f"{query}&{urlencode({'ticket': tickets.sign(key, query, START)})}"


def test_a_ticket_holds_for_the_query_that_it_was_signed_for():
    assert tickets.holds(KEY, ticketed(), START)


@given(parameters=st.lists(st.tuples(NAMES, st.text()), max_size=6))
def test_a_ticket_holds_for_any_query_that_it_was_signed_for(parameters):
    assert tickets.holds(KEY, ticketed(urlencode(parameters)).lstrip("&"), START)


def test_a_ticket_made_now_holds_now():
    assert tickets.holds(KEY, f"{QUERY}&ticket={tickets.sign(KEY, QUERY)}")


@pytest.mark.parametrize(
    "other",
    [
        "format=csv&end=2026-11-02&start=2026-11-01&ticker=btc_usd&ticker=eth_usd",
        "ticker=btc%5Fusd&ticker=eth_usd&start=2026-11-01&end=2026-11-02&format=csv",
    ],
)
def test_a_ticket_holds_for_the_same_query_written_differently(other):
    ticket = tickets.sign(KEY, QUERY, START)

    assert tickets.holds(KEY, f"ticket={ticket}&{other}", START)


@pytest.mark.parametrize(
    "other",
    [
        "",
        QUERY.replace("csv", "parquet"),
        QUERY.replace("ticker=eth_usd&", ""),
        f"{QUERY}&healed=true",
        f"{QUERY}&ticker=sol_usd",
        QUERY.replace("ticker=btc_usd&ticker=eth_usd", "ticker=eth_usd&ticker=btc_usd"),
        QUERY.replace("format=", "format=&format="),
    ],
)
def test_a_ticket_does_not_hold_for_another_query(other):
    ticket = tickets.sign(KEY, QUERY, START)

    assert not tickets.holds(KEY, f"{other}&ticket={ticket}", START)


@pytest.mark.parametrize(("seconds", "holds"), [(0, True), (300, True), (301, False), (86_400, False), (-1, False)])
def test_a_ticket_holds_for_five_minutes(seconds, holds):
    assert tickets.holds(KEY, ticketed(), START + timedelta(seconds=seconds)) is holds


def test_a_ticket_of_another_key_does_not_hold():
    assert not tickets.holds("another key", ticketed(), START)


@given(place=st.integers(0), sign=st.characters(codec="ascii", exclude_characters="&#%+/"))
def test_a_ticket_that_was_altered_does_not_hold(place, sign):
    ticket = tickets.sign(KEY, QUERY, START)
    # Some bits of the last base64 character mean nothing, and + and / are another spelling of - and _.
    place %= len(ticket) - 1
    altered = ticket[:place] + sign + ticket[place + 1 :]

    assert tickets.holds(KEY, f"{QUERY}&{urlencode({'ticket': altered})}", START) is (altered == ticket)


def test_the_end_of_a_query_can_not_be_moved_into_the_ticket():
    whole = "price=1.5"
    ticket = tickets.sign(KEY, whole, START)

    assert tickets.holds(KEY, f"{whole}&ticket={ticket}", START)
    assert not tickets.holds(KEY, f"price=1&ticket=5.{ticket}", START)


@pytest.mark.parametrize("ticket", ["", ".", "a.b", "no ticket", "ä.ö", "1.2.3"])
def test_text_that_is_no_ticket_does_not_hold(ticket):
    assert not tickets.holds(KEY, f"{QUERY}&{urlencode({'ticket': ticket})}", START)


def test_a_query_without_a_ticket_or_with_two_does_not_hold():
    assert not tickets.holds(KEY, QUERY, START)
    assert not tickets.holds(KEY, f"{ticketed()}&ticket=a.b", START)


def test_an_invalid_ticket_is_still_found_in_a_query():
    assert tickets.is_there(f"{QUERY}&ticket=")
    assert not tickets.is_there(QUERY)
