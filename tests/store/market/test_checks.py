"""Self-checks find the numbers of the market that contradict each other."""

from datetime import timedelta
from typing import Any

import pytest

from store.market.black76 import value, years_between
from store.market.checks import (
    CHECKS,
    DELIVERY,
    DVOL,
    PARITY,
    Pair,
    delivery_difference,
    dvol_difference,
    funding_difference,
    iv_difference,
    parity,
)
from tests.store.market.chains import FORWARD, TS

EXPIRY = TS + timedelta(days=30)
MORNING = TS.replace(hour=8, minute=0, second=0, microsecond=0)


def pair(strike: float = FORWARD, iv: float = 40.0, *, linear: bool = False, **changes: Any) -> Pair:
    """The call and the put of a strike by Black-76, rounded as the exchange rounds them."""
    years, unit = years_between(TS, EXPIRY), 1.0 if linear else FORWARD
    call, put = (round(value(kind, FORWARD, strike, years, iv) / unit, 6) for kind in ("call", "put"))
    return Pair(EXPIRY, strike, FORWARD, call, put, iv, iv)._replace(**changes)


@pytest.mark.parametrize(("value", "state"), [(1.5, "ok"), (-1.5, "ok"), (-1.51, "note"), (3, "note"), (3.01, "warn")])
def test_a_value_beyond_a_limit_is_a_note_or_a_warning_whatever_its_sign(value: float, state: str):
    assert DVOL.state(value) == state


def test_a_check_without_notes_has_only_warnings():
    assert (PARITY.state(4.9e-4), PARITY.state(-5.1e-4)) == ("ok", "warn")


def test_a_value_is_told_in_its_unit():
    assert PARITY.words(3.8e-5) == "0.0038 %"
    assert DVOL.words(-1.234) == "-1.23 points"


def test_a_value_that_rounds_to_zero_has_no_sign():
    assert PARITY.words(-1e-9) == "0.0000 %"
    assert DVOL.words(-0.001) == "0.00 points"
    assert (
        getattr(funding_difference(TS, 100.0, 100.0, -1e-9), "detail", None) == "published 0.0000 %, implied 0.0000 %"
    )


def test_each_check_has_a_name_and_a_title_of_its_own():
    assert {check.name for check in CHECKS.values()} == CHECKS.keys()
    assert len({check.title for check in CHECKS.values()}) == len(CHECKS)


def test_marks_by_black_76_keep_parity_up_to_their_last_digit():
    found = parity("BTC", TS, [pair(strike) for strike in (20_000, 79_000, 80_000, 200_000)])

    assert found is not None
    assert abs(found.value) <= 1e-6
    assert found.detail.endswith(", largest of 4 pairs")


def test_the_pair_furthest_from_parity_is_named():
    right, wrong = pair(79_000), pair(90_000)
    assert wrong.call_mark is not None

    found = parity("BTC", TS, [right, wrong._replace(call_mark=wrong.call_mark - 0.001), right])

    assert found is not None
    assert found.value == pytest.approx(-0.001, abs=1e-6)
    assert found.detail == "strike 90,000 of 2026-12-28, largest of 3 pairs"


def test_marks_of_linear_options_are_compared_as_fractions_of_the_forward():
    its = pair(70_000, linear=True)
    assert its.call_mark is not None

    found = parity("BTC_USDC", TS, [its, its._replace(call_mark=its.call_mark + FORWARD / 1000)])

    assert found is not None
    assert found.value == pytest.approx(0.001)


@pytest.mark.parametrize(
    "unknown",
    [
        pair(forward=None),
        pair(call_mark=None),
        pair(put_mark=None),
        pair(call_mark=float("nan")),
        pair()._replace(expiry=TS + timedelta(minutes=29)),
    ],
)
def test_a_pair_that_lacks_a_number_or_soon_expires_has_no_parity(unknown: Pair):
    assert parity("BTC", TS, [unknown]) is None


def test_the_largest_difference_of_the_ivs_of_a_strike_counts():
    found = iv_difference([pair(), pair(90_000, put_iv=40.2), pair(call_iv=None), pair(put_iv=None)])

    assert found is not None
    assert found.value == pytest.approx(-0.2)
    assert found.detail == "strike 90,000 of 2026-12-28, largest of 2 pairs"


def test_the_volatility_of_the_chain_is_compared_with_dvol():
    found = dvol_difference(41.2, 42.9)

    assert found.value == pytest.approx(-1.7)
    assert found.detail == "chain 41.20, DVOL 42.90"


@pytest.mark.parametrize(
    ("premium", "published", "value"),
    [(0.000196, 0.0, 0.0), (0.0005, 0.00025, 0.0), (-0.0005, -0.00025, 0.0), (0.0005, 0.0, -0.00025)],
)
def test_published_funding_is_compared_with_that_of_the_premium(premium: float, published: float, value: float):
    found = funding_difference(TS, 100_000 * (1 + premium), 100_000, published)

    assert found is not None
    assert found.value == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("minutes", "is_judged"), [(-31, True), (-30, False), (-1, False), (0, False), (1, True)])
def test_funding_is_not_judged_while_the_reply_has_a_mean_of_the_index(minutes: int, *, is_judged: bool):
    found = funding_difference(MORNING + timedelta(minutes=minutes), 100.0, 100.0, 0.0)

    assert (found is not None) == is_judged


def test_a_delivery_price_is_compared_with_the_mean_of_our_half_hour():
    found = delivery_difference(100.02, [99.0, 101.0] * 15)

    assert found is not None
    assert found.value == pytest.approx(2e-4)
    assert found.detail == "published 100.02, own mean 100.00"
    assert DELIVERY.state(found.value) == "note"


def test_a_half_hour_with_a_minute_without_a_tick_is_not_judged():
    assert delivery_difference(100.0, [100.0] * 29) is None
