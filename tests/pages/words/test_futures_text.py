"""Rates and amounts of futures in words."""

import pytest

from pages.common.words import futures_text
from store.market.carry import Funding


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "0.00"),
        (12.345, "12.3"),
        (999.4, "999"),
        (999.6, "1.00 k"),
        (45_600, "45.6 k"),
        (9_994_000, "9.99 m"),
        (999_400_000, "999 m"),
        (999_600_000, "1.00 bn"),
        (23_456_000_000, "23.5 bn"),
    ],
)
def test_a_large_amount_has_three_digits(amount, words):
    assert futures_text.large(amount) == words


def test_a_rate_of_hours_has_four_digits_and_its_year_two():
    assert futures_text.rate_of_8h(0.0001) == "+0.0100 %, +10.95 % a year"
    assert futures_text.rate_of_8h(-1e-9) == "0.0000 %, 0.00 % a year"
    assert futures_text.rate_of_8h(None) == "–"


@pytest.mark.parametrize(
    ("cumulated", "who", "annual"), [(0.001, "Longs paid shorts", "+87.60"), (-0.001, "Shorts paid longs", "-87.60")]
)
def test_what_was_paid_says_by_whom_and_of_which_hours(cumulated, who, annual):
    found = futures_text.paid(Funding(cumulated, cumulated * 876, 10, 12), "BTC-PERPETUAL")

    of = f"{who} 0.1000 % of a position in BTC-PERPETUAL"
    assert found == f"{of}: {annual} % a year, simple. 10 of 12 hours known."


def test_without_a_known_hour_nothing_was_paid():
    assert futures_text.paid(Funding(None, None, 0, 12), "BTC-PERPETUAL") == "0 of 12 hours known."
