import statistics
from datetime import UTC, datetime

import pytest

from poller.simulator.truth.funding import HOUR_S, funding
from poller.simulator.truth.futures import funding_rate
from poller.simulator.truth.listing import second_of

END = second_of(datetime(2026, 9, 20, 21, tzinfo=UTC))


def busiest() -> int:
    """The end of the hour in two weeks that paid most."""
    return max(range(END - 14 * 86_400, END, HOUR_S), key=lambda end: abs(funding("BTC", end, 1)))


def test_an_hour_pays_an_eighth_of_its_mean_rate():
    end = busiest()
    rates = [funding_rate("BTC", second) for second in range(end - HOUR_S, end, 15)]

    paid = funding("BTC", end, 1)

    assert paid == pytest.approx(statistics.fmean(rates) / 8, rel=0.05)
    assert paid != 0


def test_eight_hours_pay_the_sum_of_each():
    end = busiest()

    assert funding("BTC", end, 8) == pytest.approx(sum(funding("BTC", end - HOUR_S * i, 1) for i in range(8)))


def test_the_payment_so_far_changes_each_5_minutes():
    end = busiest()

    assert len({funding("BTC", end + second, 8) for second in range(300)}) == 1
    assert funding("BTC", end + 300, 8) != funding("BTC", end, 8)
