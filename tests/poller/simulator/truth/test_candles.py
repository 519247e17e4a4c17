from datetime import UTC, datetime

import pytest

from poller.simulator.truth.candles import candle
from poller.simulator.truth.futures import traded
from poller.simulator.truth.listing import expiries, second_of
from store.market.instruments import Future

MINUTE = second_of(datetime(2026, 9, 20, 21, tzinfo=UTC))
PERPETUAL = Future("BTC", None)
DATED = Future("ETH", expiries(MINUTE)[4])


@pytest.mark.parametrize("future", [PERPETUAL, DATED])
def test_a_minute_has_the_trades_of_the_minute(future):
    trades = [traded(future.underlying, future.expiry, MINUTE + second) for second in range(60)]

    opened, high, low, closed, volume, usd = candle(future, MINUTE, 60)

    assert (opened, high, low, closed) == (trades[0], max(trades), min(trades), trades[-1])
    assert usd == pytest.approx(volume * trades[0], rel=0.01)


def test_a_quarter_of_an_hour_has_the_extremes_of_its_minutes():
    minutes = [candle(PERPETUAL, MINUTE + 60 * i, 60) for i in range(15)]

    opened, high, low, closed, *_ = candle(PERPETUAL, MINUTE, 900)

    assert (opened, closed) == (minutes[0][0], minutes[-1][3])
    assert (high, low) == (max(minute[1] for minute in minutes), min(minute[2] for minute in minutes))


def test_a_bar_without_a_change_of_the_price_has_no_volume():
    assert candle(PERPETUAL, MINUTE, 15)[4:] == (0, 0)


def test_a_day_trades_more_than_a_minute():
    assert candle(PERPETUAL, MINUTE, 86_400)[5] > 100 * candle(PERPETUAL, MINUTE, 60)[5]


@pytest.mark.parametrize("step_s", [3600, 86_400])
def test_a_long_bar_opens_and_closes_with_its_first_and_its_last_trade(step_s):
    opened, high, low, closed, *_ = candle(PERPETUAL, MINUTE, step_s)

    assert (opened, closed) == (traded("BTC", None, MINUTE), traded("BTC", None, MINUTE + step_s - 1))
    assert low <= closed <= high
