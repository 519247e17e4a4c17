import math
from datetime import UTC, datetime

import pytest

from poller.simulator.truth.listing import CURRENCIES, second_of
from poller.simulator.truth.options import option_summaries
from poller.simulator.truth.surface import slice_of
from poller.simulator.truth.volatility import candle, strip, volatility_index
from store.market.instruments import option_of
from store.market.smile import Quote
from store.market.surface import derived

NOW = datetime(2026, 9, 20, 21, 17, 16, tzinfo=UTC)
SECOND = second_of(NOW)
HOUR = SECOND - SECOND % 3600 - 3600
EIGHT_AT_NIGHT = HOUR - HOUR % 43_200


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("days", [0, 3, 11, 40])
def test_dvol_is_the_volatility_that_the_chain_of_the_same_time_implies(currency, days):
    at = datetime.fromtimestamp(SECOND - days * 86_400, UTC)
    quotes = []
    for row in option_summaries(currency, at):
        option = option_of(row["instrument_name"])
        quotes.append(
            Quote(
                option.expiry,
                option.strike,
                option.option_type,
                row["mark_iv"],
                row["underlying_price"],
                row["open_interest"],
                row["volume"],
            )
        )

    implied = derived(at, quotes, None).surface.iv_chain_30d

    assert implied == pytest.approx(volatility_index(currency, second_of(at)), abs=0.5)


@pytest.mark.parametrize("currency", CURRENCIES)
def test_dvol_is_the_volatility_of_the_strip_at_30_days(currency):
    for second in range(SECOND - 400 * 86_400, SECOND, 86_400 * 20):
        exact = strip(slice_of(currency, 30 / 365, second))
        assert volatility_index(currency, second) == pytest.approx(exact, abs=0.008)


@pytest.mark.parametrize("step_s", [1, 60, 3600, 43_200, 86_400])
def test_a_candle_opens_and_closes_with_the_values_of_its_ends(step_s):
    opened, high, low, closed = candle("BTC", EIGHT_AT_NIGHT, step_s)

    assert opened == volatility_index("BTC", EIGHT_AT_NIGHT)
    assert closed == volatility_index("BTC", EIGHT_AT_NIGHT + step_s - 1)
    assert low <= min(opened, closed) <= max(opened, closed) <= high


def test_the_candle_of_an_hour_has_the_extremes_of_its_minutes():
    minutes = [candle("ETH", HOUR + 60 * i, 60) for i in range(60)]

    _, high, low, _ = candle("ETH", HOUR, 3600)

    assert high == pytest.approx(max(minute[1] for minute in minutes), abs=0.01)
    assert low == pytest.approx(min(minute[2] for minute in minutes), abs=0.01)


def test_dvol_is_above_the_volatility_at_the_money_and_has_two_decimals():
    values = [volatility_index("BTC", SECOND - 3600 * i) for i in range(500)]

    assert all(value == round(value, 2) for value in values)
    assert 33 < min(values) < max(values) < 55
    assert math.isfinite(sum(values))
