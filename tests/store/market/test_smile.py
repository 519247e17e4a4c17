"""A smile says what the options of an expiry say together, and leaves unknown what they do not say."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.curve import iv_at_delta, iv_at_the_money
from store.market.smile import (
    Quote,
    Smile,
    butterfly,
    curve_of_quotes,
    forward_of,
    max_pain,
    put_call_ratio,
    risk_reversal,
    smile_of_quotes,
)
from tests.store.market.chains import FORWARD, STRIKES, TS, flat, held, quotes


def smile(of: list[Quote]) -> Smile:
    return smile_of_quotes(of, curve_of_quotes(TS, of))


def max_pain_by_trying(rows: list[tuple[float, float, float]]) -> float:
    """The strike at which the options pay least, by paying all of them at each."""
    return min(
        (sum(call * max(end - strike, 0) + put * max(strike - end, 0) for strike, call, put in rows), end)
        for end, _, _ in rows
    )[1]


def test_a_flat_smile_has_its_volatility_and_no_skew():
    found = smile(quotes(30, flat(40)))

    assert (found.forward, found.strikes) == (FORWARD, len(STRIKES))
    assert found.atm_iv == pytest.approx(40)
    assert [found.rr25, found.bf25, found.rr10, found.bf10] == pytest.approx([0] * 4, abs=1e-12)


def test_a_smile_has_the_points_of_its_curve():
    skewed = quotes(30, lambda strike: 40 + (strike - FORWARD) / 5_000 + ((strike - FORWARD) / 10_000) ** 2)
    curve = curve_of_quotes(TS, skewed)
    assert curve is not None
    call25, put25, call10, put10 = (iv_at_delta(curve, delta) or 0 for delta in (0.25, 0.75, 0.1, 0.9))
    atm_iv = iv_at_the_money(curve)

    found = smile(skewed)

    assert found.atm_iv == atm_iv == pytest.approx(40)
    assert (found.rr25, found.rr10) == (call25 - put25, call10 - put10)
    assert found.bf25 == pytest.approx((call25 + put25) / 2 - 40)
    assert found.bf10 == pytest.approx((call10 + put10) / 2 - 40)
    assert 0 < call25 - put25 < call10 - put10


def test_points_beyond_the_strikes_are_unknown():
    near = smile(quotes(30, flat(40), strikes=(72_000, 76_000, 80_000, 84_000, 88_000)))
    one_side = smile(quotes(30, flat(40), strikes=(81_000, 90_000, 100_000, 120_000)))

    assert None not in {near.atm_iv, near.rr25, near.bf25}
    assert (near.rr10, near.bf10) == (None, None)
    assert (one_side.atm_iv, one_side.rr25, one_side.bf25, one_side.strikes) == (None, None, None, 4)


def test_a_strike_has_the_mean_volatility_of_its_call_and_its_put():
    call, put = quotes(30, flat(40), strikes=[FORWARD])

    found = smile([call, put._replace(mark_iv=40.5), *quotes(30, flat(50), strikes=[90_000])])

    assert (found.atm_iv, found.strikes) == (40.25, 2)


@pytest.mark.parametrize("unknown", [None, 0.0, -1.0, 1e-9, 1e9, float("nan"), float("inf")])
def test_an_option_without_volatility_is_left_out(unknown):
    call, put = quotes(30, flat(40), strikes=[FORWARD])

    found = smile([call, put._replace(mark_iv=unknown), *quotes(30, lambda _: unknown, strikes=[90_000])])

    assert (found.atm_iv, found.strikes) == (40, 1)


@pytest.mark.parametrize("unknown", [None, 0.0])
def test_a_chain_without_a_forward_has_no_smile_but_open_interest(unknown):
    found = smile([quote._replace(underlying_price=unknown) for quote in held([(80_000, 3, 4)])])

    assert (found.forward, found.atm_iv, found.strikes) == (None, None, 0)
    assert (found.call_oi, found.put_oi, found.max_pain) == (3, 4, 80_000)


def test_the_forward_is_the_median_of_what_the_options_say():
    call, put = quotes(30, flat(40), strikes=[FORWARD])
    late = [call._replace(underlying_price=FORWARD + 9), put._replace(underlying_price=None)]

    assert forward_of([call, put, *late]) == FORWARD


@pytest.mark.parametrize("days", [0, -1])
def test_an_expiry_that_is_over_has_a_forward_and_no_volatility(days):
    found = smile(quotes(days, flat(40)))

    assert tuple(found) == (TS + timedelta(days=days), FORWARD, *[None] * 10, 0)


def test_open_interest_and_volume_are_added_up_by_calls_and_puts():
    found = smile(held([(70_000, 1, 2), (80_000, 10, 0), (90_000, 0.5, 0.25)]))

    assert (found.call_oi, found.put_oi) == (11.5, 2.25)
    assert (found.call_volume, found.put_volume) == pytest.approx((1.15, 0.225))


def test_open_interest_that_is_unknown_is_not_zero():
    call, put = held([(80_000, 3, 4)])

    one = smile([call._replace(open_interest=None, volume=None), put])

    assert (one.call_oi, one.put_oi, one.call_volume, one.put_volume) == (None, 4, None, 0.4)
    assert smile(quotes(30, flat(40)))[7:12] == (None,) * 5


@pytest.mark.parametrize(
    ("rows", "strike"),
    [
        ([(70_000, 5, 0), (80_000, 5, 5), (90_000, 0, 5)], 80_000),
        ([(70_000, 5, 0), (80_000, 0, 0), (90_000, 0, 5)], 70_000),
        ([(70_000, 0, 5), (80_000, 0, 0), (90_000, 5, 0)], 70_000),
        ([(70_000, 0, 0.1), (80_000, 0, 0.2), (90_000, 0.3, 0)], 80_000),
        ([(70_000, 0.1, 0), (80_000, 0.2, 0), (90_000, 0, 0.3)], 80_000),
        ([(70_000, 0, 0), (80_000, 0, 0), (90_000, 0, 1)], 90_000),
        ([(70_000, 0, 0), (80_000, 0, 0)], None),
        ([], None),
    ],
)
def test_the_strike_of_max_pain_is_the_lowest_at_which_options_pay_least(rows, strike):
    assert max_pain(held(rows)) == strike


@given(
    rows=st.dictionaries(
        st.integers(10, 200).map(lambda thousands: 1_000 * thousands),
        st.tuples(st.integers(0, 50), st.integers(0, 50)),
        min_size=1,
        max_size=30,
    ).filter(lambda rows: any(map(sum, rows.values())))
)
def test_max_pain_is_what_trying_each_strike_finds(rows):
    listed = [(strike, *both) for strike, both in rows.items()]

    assert max_pain(held(listed)) == max_pain_by_trying(listed)


def test_the_order_of_the_quotes_changes_nothing():
    chain = quotes(30, lambda strike: 40 + strike / 7e3, strikes=(60_000, 70_000, 80_000, 90_000, 110_000, 140_000))
    of = [quote._replace(open_interest=0.1 * number, volume=0.3 * number) for number, quote in enumerate(chain)]

    assert smile(of[1::2] + of[::2]) == smile(of)


def test_skew_and_butterfly_need_all_their_points():
    assert risk_reversal(42.0, 45.0) == -3
    assert butterfly(42.0, 45.0, 40.0) == 3.5
    assert [risk_reversal(None, 1.0), risk_reversal(1.0, None)] == [None, None]
    assert [butterfly(None, 1.0, 1.0), butterfly(1.0, None, 1.0), butterfly(1.0, 1.0, None)] == [None] * 3


def test_puts_are_measured_by_calls():
    assert put_call_ratio(3.0, 4.0) == 0.75
    assert [put_call_ratio(None, 4.0), put_call_ratio(3.0, None), put_call_ratio(3.0, 0.0)] == [None] * 3
