"""Options: the headline, the calendar and the choice of an expiry."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from vollib.black.greeks import analytical

from tests.pages.conftest import Open, failed
from tests.support.market import chain

from .seen import expiry_of, framed, headline, metrics, traces


def test_the_headline_says_what_chain_is_shown_and_how_old_it_is(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    assert headline(page) == (
        f"**BTC** · as of {ts.day} {ts:%b %Y, %H:%M:%S} (1 min old) · {len(its.rows):,} contracts"
    )
    assert not page.exception


def test_the_numbers_of_an_expiry_are_those_of_pandas_and_brute_force(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    forward, years = rows["forward"].median(), rows["years"].iloc[0]
    ivs = rows.groupby("strike")["mark_iv"].mean()
    strikes = ivs.index.to_numpy()
    atm = np.interp(0, np.log(strikes / forward), ivs)
    deltas = [analytical.delta("c", forward, each, years, 0, iv / 100) for each, iv in ivs.items()]
    call25, put25 = (np.interp(delta, deltas[::-1], ivs.to_numpy()[::-1]) for delta in (0.25, 0.75))
    oi = rows.pivot(index="strike", columns="side", values="oi").fillna(0)
    volume = rows.pivot(index="strike", columns="side", values="volume")
    pain = [
        (oi["call"] * np.maximum(at - strikes, 0)).sum() + (oi["put"] * np.maximum(strikes - at, 0)).sum()
        for at in strikes
    ]
    assert metrics(page) == {
        "Forward": f"{forward:,.0f}",
        "IV at the money": f"{atm:.2f} %",
        "Risk reversal, 25 delta": f"{call25 - put25:+.2f}",
        "Butterfly, 25 delta": f"{(call25 + put25) / 2 - atm:+.2f}",
        "Max pain": f"{strikes[np.argmin(pain)]:,.0f}",
        "Put / call": f"{oi['put'].sum() / oi['call'].sum():.2f}",
        "Put / call, volume": f"{volume['put'].sum() / volume['call'].sum():.2f}",
    }


def test_the_calendar_has_the_notional_of_each_expiry_and_marks_the_chosen_one(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, _ = expiry_of(its)

    page = open_page("options", expiry=name)

    bars = traces(page, "calendar")
    assert its.index_price
    expected = framed(its).groupby("expiry")["oi"].sum() * its.index_price / 1e6
    found = {day: height for part in bars.values() for day, height in zip(part["customdata"], part["y"], strict=True)}
    assert bars["Chosen"]["customdata"] == [name]
    assert found == pytest.approx({f"{expiry:%Y-%m-%d}": height for expiry, height in expected.items()})


@pytest.mark.parametrize(("left", "said"), [(2, "in 2 s"), (0, "expired"), (-2, "expired")])
def test_an_expiry_that_is_still_in_the_chain_when_it_is_over_is_called_expired(
    open_page: Open, record, ts, left, said
):
    its = chain("BTC", ts)
    ends_at = ts + timedelta(seconds=left)
    first = min(row[0] for row in its.rows)
    record(replace(its, rows=tuple((ends_at, *row[1:]) if row[0] == first else row for row in its.rows)))

    page = open_page("options", expiry=f"{ends_at:%Y-%m-%d}")

    day = f"{ends_at.day} {ends_at:%b %Y}"
    assert (page.selectbox[-1].label, page.selectbox[-1].options[0]) == (f"Expiry, {said}", day)
    assert traces(page, "calendar")["Chosen"]["hovertext"][0].startswith(f"{day}, {said}<br>")
    assert not page.exception


def test_without_a_choice_the_expiry_with_the_largest_open_interest_is_shown(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)

    page = open_page("options")

    largest = framed(its).groupby("expiry")["oi"].sum().idxmax()
    assert traces(page, "calendar")["Chosen"]["customdata"] == [f"{largest:%Y-%m-%d}"]
    assert not any("no expiry" in box.value for box in page.warning)


@pytest.mark.parametrize(("named", "told"), [("1999-01-01", "'1999-01-01'"), ("*a*", r"'\*a\*'")])
def test_an_expiry_that_the_chain_does_not_have_is_told(open_page: Open, record, ts, named, told):
    record(chain("BTC", ts))

    page = open_page("options", expiry=named)

    (warning,) = [box.value for box in page.warning if "no expiry" in box.value]
    assert warning == f"This chain has no expiry {told}. The one with the largest open interest is shown."


def test_another_currency_is_chosen_by_the_address(open_page: Open, record, ts):
    record(chain("BTC", ts), chain("ETH", ts))

    page = open_page("options", currency="ETH")

    assert any(each.value.startswith("**ETH** · as of") for each in page.markdown)
    assert not failed(page)
