"""Volatility in words."""

import pytest

from pages.common.words.volatility_text import chain_against_dvol, percent, signed


@pytest.mark.parametrize(
    ("value", "words"), [(3.416, "+3.42"), (-0.5, "-0.50"), (0.0, "0.00"), (-0.004, "0.00"), (0.005, "+0.01")]
)
def test_a_difference_has_its_sign_unless_it_rounds_to_nothing(value, words):
    assert signed(value) == words


def test_a_volatility_has_two_digits():
    assert percent(41.256) == "41.26 %"


@pytest.mark.parametrize(("chain", "colour"), [(41.2, "green"), (40.1, "green"), (39.9, "orange"), (44.6, "orange")])
def test_a_chain_that_is_far_from_dvol_is_marked(chain, colour):
    words = chain_against_dvol(chain, 41.5)

    assert words.startswith(f":{colour}[")
    assert words.endswith(
        f"Our chain says **{chain:.2f} %** for 30 days, DVOL **41.50 %**: {chain - 41.5:+.2f} points."
    )
