"""A surface has the volatility of a chain at constant maturities, where two expiries say it."""

import math
from collections.abc import Iterable, Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.kinds import TENORS_D
from store.market.black76 import YEAR
from store.market.curve import strip_iv
from store.market.smile import Quote, curve_of_quotes
from store.market.surface import Derived, constant_maturity, derived
from tests.store.market.chains import FORWARD, STRIKES, TS, flat, held, quotes

EXPIRIES_D = (0.75, 1.75, 6.75, 13.75, 27.75, 62.75, 118.75, 209.75, 391.75)
WIDE = tuple(FORWARD * math.exp(far / 20) for far in range(-80, 81))


def chain(ivs: Sequence[float], days: Sequence[float] = EXPIRIES_D, strikes: Iterable[float] = WIDE) -> list[Quote]:
    """A chain with one IV an expiry."""
    return [quote for left, iv in zip(days, ivs, strict=True) for quote in quotes(left, flat(iv), strikes=strikes)]


def at(tenor_d: int, of: Derived) -> list[float | None]:
    place = TENORS_D.index(tenor_d)
    return [of.surface.iv[place], of.surface.rr25[place], of.surface.bf25[place]]


def test_a_flat_chain_has_its_volatility_at_each_maturity_and_no_skew():
    surface = derived(TS, chain([40] * 9), 79_900).surface

    assert surface.iv == pytest.approx([40] * 7)
    assert surface.rr25 == pytest.approx([0] * 7, abs=1e-9)
    assert surface.bf25 == pytest.approx([0] * 7, abs=1e-9)
    assert surface.index_price == 79_900


def test_total_variance_is_linear_between_two_expiries():
    surface = derived(TS, [*quotes(20, flat(50)), *quotes(50, flat(40))], 1).surface

    assert surface.iv[TENORS_D.index(30)] == pytest.approx(math.sqrt((50**2 * 20 * 2 / 3 + 40**2 * 50 / 3) / 30))


def test_skew_is_that_of_each_delta_at_the_maturity():
    def smile(strike: float) -> float:
        return 40 + (strike - FORWARD) / 4_000

    one, other = (derived(TS, quotes(left, smile), 1).smiles[0] for left in (20, 50))
    calls, puts = [
        [each.atm_iv + each.bf25 + sign * each.rr25 / 2 for each in (one, other)]  # type: ignore[operator]
        for sign in (1, -1)
    ]

    iv, rr25, bf25 = at(30, derived(TS, [*quotes(20, smile), *quotes(50, smile)], 1))

    call, put = (constant_maturity([(20, ivs[0]), (50, ivs[1])], 30) for ivs in (calls, puts))
    assert iv is not None
    assert call is not None
    assert put is not None
    assert rr25 == pytest.approx(call - put)
    assert bf25 == pytest.approx((call + put) / 2 - iv)


def test_a_maturity_beyond_the_expiries_is_unknown():
    surface = derived(TS, chain([40] * 4, days=(10, 20, 70, 170)), 1).surface

    assert [iv is not None for iv in surface.iv] == [False, True, True, True, True, False, False]
    assert [rr is not None for rr in surface.rr25] == [bf is not None for bf in surface.bf25]
    assert derived(TS, [], None) == ([], ((None,) * 7, (None,) * 7, (None,) * 7, *[None] * 6))


@pytest.mark.parametrize(
    ("left", "strikes", "takes_part"),
    [
        (0.5, STRIKES, True),
        (0.49, STRIKES, False),
        (3, STRIKES[20:30], True),
        (3, (78_000, 79_000, 81_000, 82_000), False),
    ],
)
def test_an_expiry_takes_part_with_12_hours_to_go_and_5_strikes(left, strikes, takes_part):
    of = derived(TS, [*quotes(left, flat(60), strikes=strikes), *quotes(20, flat(40))], 1)

    assert (of.surface.iv[0] is not None) == takes_part
    assert of.smiles[0].atm_iv == pytest.approx(60)


def test_a_point_that_a_neighbour_lacks_is_unknown_at_the_maturity():
    near = quotes(20, flat(40), strikes=(78_000, 79_000, 80_000, 81_000, 82_000))

    assert at(30, derived(TS, [*quotes(10, flat(40)), *near, *quotes(50, flat(40))], 1)) == [
        pytest.approx(40),
        None,
        None,
    ]


def test_the_volatility_of_the_chain_is_that_of_its_strips_around_30_days():
    around = [quotes(20, flat(50), strikes=WIDE), quotes(50, flat(40), strikes=WIDE)]
    curves = [curve_of_quotes(TS, each) for each in around]
    strips = [(curve.years, strip_iv(curve, 0.05)) for curve in curves if curve]

    surface = derived(TS, [*quotes(5, flat(90)), *around[0], *around[1], *quotes(90, flat(90))], 1).surface

    assert surface.iv_chain_30d == constant_maturity(strips, timedelta(days=30) / YEAR)
    assert surface.iv_chain_30d == pytest.approx(0.984 * (surface.iv[2] or 0), abs=0.02)


def test_an_expiry_whose_strikes_do_not_reach_5_delta_is_passed_over():
    short = quotes(25, flat(90), strikes=STRIKES[15:30])
    around = [*quotes(20, flat(40), strikes=WIDE), *quotes(50, flat(40), strikes=WIDE)]

    assert derived(TS, around + short, 1).surface.iv_chain_30d == derived(TS, around, 1).surface.iv_chain_30d
    assert derived(TS, short, 1).surface.iv_chain_30d is None
    assert derived(TS, short + around[: len(around) // 2], 1).surface.iv_chain_30d is None


def test_an_expiry_in_30_days_needs_no_other():
    surface = derived(TS, quotes(30, flat(40), strikes=WIDE), 1).surface

    assert [iv and round(iv, 9) for iv in surface.iv] == [None, None, 40, None, None, None, None]
    assert surface.iv_chain_30d is not None


def test_open_interest_and_volume_of_the_chain_are_the_sums_of_its_smiles():
    of = derived(TS, [*held([(80_000, 3, 4)], days=10), *held([(80_000, 0.5, 1)], days=20)], None)

    assert [smile.call_oi for smile in of.smiles] == [3, 0.5]
    assert of.surface[4:8] == pytest.approx((3.5, 5, 0.35, 0.5))


def test_smiles_come_by_expiry_and_the_order_of_the_quotes_changes_nothing():
    of = chain([50, 45, 44, 43, 42, 41, 40, 39, 38], strikes=STRIKES)

    found = derived(TS, of[1::2] + of[::2], 1)

    assert found == derived(TS, of, 1)
    assert [smile.expiry for smile in found.smiles] == [TS + timedelta(left) for left in EXPIRIES_D]


def test_the_columns_of_a_surface_come_maturity_by_maturity():
    surface = derived(TS, chain([40] * 9), 79_900).surface

    assert surface.columns == (*surface.iv, *surface.rr25, *surface.bf25, surface.iv_chain_30d, *[None] * 4, 79_900)


@given(ivs=st.tuples(st.floats(10, 200), st.floats(10, 200)), share=st.floats(0, 1))
def test_variance_at_a_maturity_lies_between_that_of_its_expiries(ivs, share):
    years = 0.1 + share * 0.2

    iv = constant_maturity([(0.1, ivs[0]), (0.3, ivs[1])], years)

    if years <= 0.3:
        assert iv is not None
        low, high = sorted((ivs[0] ** 2 * 0.1, ivs[1] ** 2 * 0.3))
        assert low * (1 - 1e-9) <= iv**2 * years <= high * (1 + 1e-9)
        assert min(ivs) * (1 - 1e-9) <= iv <= max(ivs) * (1 + 1e-9)


@given(
    chain=st.lists(
        st.builds(
            Quote,
            expiry=st.sampled_from([TS + timedelta(days=left) for left in (-1, 1e-9, 20, 40)]),
            strike=st.floats(1e-6, 1e7),
            option_type=st.sampled_from(["call", "put"]),
            mark_iv=st.none() | st.floats(allow_nan=False),
            underlying_price=st.none() | st.floats(1e-6, 1e7),
            open_interest=st.none() | st.floats(0, 1e9),
            volume=st.none() | st.floats(0, 1e9),
        ),
    )
)
def test_odd_numbers_break_nothing(chain):
    found = derived(TS, chain, None)

    assert sum(smile.strikes for smile in found.smiles) <= len(chain)
