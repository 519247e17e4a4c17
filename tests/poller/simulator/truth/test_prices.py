import math
import statistics
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from poller.simulator.replies import INDEX_NAMES
from poller.simulator.truth.prices import average, price

NOON = datetime(2026, 9, 20, 12, tzinfo=UTC)


def returns(index_name: str, step: timedelta, count: int) -> list[float]:
    logs = [math.log(price(index_name, NOON + i * step)) for i in range(count)]
    return [after - before for before, after in pairwise(logs)]


def volatility(index_name: str, step: timedelta, count: int) -> float:
    return statistics.pstdev(returns(index_name, step, count)) * math.sqrt(timedelta(days=365) / step)


def test_a_price_is_the_same_in_another_process():
    program = (
        "from datetime import UTC, datetime; from poller.simulator.truth.prices import price; "
        "print(price('btc_usd', datetime(2026, 9, 20, 12, tzinfo=UTC)))"
    )

    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert float(other.stdout) == price("btc_usd", NOON)


def test_a_price_lasts_until_the_next_whole_second():
    late = NOON + timedelta(microseconds=999_999)

    assert price("btc_usd", late) == price("btc_usd", NOON)
    assert price("btc_usd", late + timedelta(microseconds=1)) != price("btc_usd", NOON)


def test_each_seed_gives_other_prices():
    assert len({price("btc_usd", NOON, seed) for seed in range(20)}) == 20


@pytest.mark.parametrize("coin", ["btc", "eth"])
def test_btc_and_eth_in_usdc_are_pegged_to_usd(coin):
    assert price(f"{coin}_usdc", NOON) == price(f"{coin}_usd", NOON)


def test_a_name_quoted_in_another_coin_is_the_ratio_of_both():
    ratio = price("eth_usd", NOON) / price("btc_usd", NOON)

    assert price("eth_btc", NOON) == pytest.approx(ratio, abs=1e-6)


@pytest.mark.parametrize(("index_name", "decimals"), [("btc_usd", 2), ("eth_usdt", 2), ("sol_usdc", 4), ("eth_btc", 6)])
def test_a_price_has_the_decimals_of_its_index(index_name, decimals):
    prices = [price(index_name, NOON + timedelta(minutes=i)) for i in range(50)]

    assert all(value == round(value, decimals) for value in prices)
    assert any(value != round(value, decimals - 1) for value in prices)


@pytest.mark.parametrize("index_name", INDEX_NAMES)
def test_every_index_has_a_price_above_zero(index_name):
    assert price(index_name, NOON) > 0


@pytest.mark.parametrize(
    ("step", "count"), [(timedelta(seconds=1), 3000), (timedelta(hours=1), 720), (timedelta(days=1), 365)]
)
@pytest.mark.parametrize(("index_name", "usual"), [("btc_usd", 0.45), ("eth_usd", 0.65)])
def test_volatility_is_the_usual_one_from_seconds_to_days(index_name, usual, step, count):
    assert volatility(index_name, step, count) == pytest.approx(usual, rel=0.25)


def test_one_second_moves_a_price_by_little():
    moves = [abs(move) for move in returns("eth_usd", timedelta(seconds=1), 3000)]

    assert statistics.median(moves) > 0
    assert max(moves) < 0.0008


def test_indexes_move_together_but_not_alike():
    step = timedelta(minutes=1)

    together = statistics.correlation(returns("btc_usd", step, 2000), returns("eth_usd", step, 2000))

    assert 0.6 < together < 0.9


@pytest.mark.parametrize(("index_name", "base"), [("btc_usd", 80_000), ("eth_usd", 3_000)])
def test_prices_stay_near_their_base_for_a_century(index_name, base):
    start = datetime(2015, 1, 1, tzinfo=UTC)

    prices = [price(index_name, start + timedelta(days=30 * i)) for i in range(1034)]

    assert base / 12 < min(prices)
    assert max(prices) < base * 12


def test_the_average_of_six_seconds_is_that_of_every_price():
    prices = [price("btc_usd", NOON + timedelta(seconds=i)) for i in range(6)]

    assert average("btc_usd", NOON, 6) == round(statistics.fmean(prices), 6)


def test_the_average_of_a_minute_samples_it_evenly():
    prices = [price("btc_usd", NOON + timedelta(seconds=i)) for i in range(0, 60, 10)]

    assert average("btc_usd", NOON, 60) == round(statistics.fmean(prices), 6)


def test_averages_follow_the_seed():
    assert average("btc_usd", NOON, 6, seed=2) != average("btc_usd", NOON, 6, seed=3)
