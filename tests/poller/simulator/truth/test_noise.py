import statistics

import pytest

from poller.simulator.truth.noise import chance, normal, stream, wander

LEVELS = range(2, 6)


def test_normal_numbers_have_a_mean_of_0_and_a_deviation_of_1():
    numbers = [normal(key) for key in range(20_000)]

    assert statistics.fmean(numbers) == pytest.approx(0, abs=0.03)
    assert statistics.pstdev(numbers) == pytest.approx(1, rel=0.03)


def test_chances_are_spread_from_0_to_1():
    chances = [chance(str(n)) for n in range(2000)]

    assert 0 <= min(chances) < 0.01
    assert 0.99 < max(chances) <= 1
    assert statistics.fmean(chances) == pytest.approx(0.5, abs=0.03)


def test_a_slow_noise_has_a_mean_of_0_and_a_deviation_of_about_1():
    values = [wander(stream("a"), second, LEVELS) for second in range(0, 4_000_000, 500)]

    assert statistics.fmean(values) == pytest.approx(0, abs=0.05)
    assert statistics.pstdev(values) == pytest.approx(1, rel=0.1)


def test_a_slow_noise_is_straight_within_its_shortest_period():
    left, middle, right = (wander(stream("a"), second, LEVELS) for second in (1600, 1608, 1616))

    assert middle == pytest.approx((left + right) / 2)
    assert left != right
