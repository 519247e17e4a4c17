import itertools
from datetime import UTC, datetime, timedelta

import pytest

from poller.simulator.truth.listing import CURRENCIES, chain, expiries, listed_since, second_of
from poller.simulator.truth.prices import price
from store.market.instruments import option_of

NOW = datetime(2026, 9, 20, 21, 17, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def day(text: str) -> datetime:
    """08:00 UTC of a day."""
    return datetime.fromisoformat(f"{text}T08:00:00+00:00")


def strikes(currency: str, at: datetime) -> dict[datetime, set[float]]:
    return {expiry: {each.option.strike for each in contracts} for expiry, contracts in chain(currency, second_of(at))}


def test_the_expiries_are_those_of_a_recorded_list_of_futures():
    recorded = (
        "2026-09-21 2026-09-22 2026-09-23 2026-09-24 2026-09-25 2026-10-02 2026-10-09 2026-10-30 2026-11-27 2026-12-25 "
        "2027-03-26 2027-06-25"
    )

    assert expiries(second_of(NOW)) == [day(text) for text in recorded.split()]


def test_the_expiries_are_those_of_a_recorded_chain():
    recorded = (
        "2026-08-23 2026-08-24 2026-08-25 2026-08-26 2026-08-28 2026-09-04 2026-09-11 2026-09-25 2026-10-30 2026-12-25 "
        "2027-03-26 2027-06-25"
    )

    listed = expiries(second_of(datetime(2026, 8, 22, 15, 33, tzinfo=UTC)))

    assert listed == [day(text) for text in recorded.split()]


def test_an_expiry_leaves_the_list_at_8_and_new_ones_come_20_s_later():
    eight = second_of(day("2026-09-22"))
    before, at, just_before, after = (set(expiries(eight + seconds)) for seconds in (-1, 0, 19, 20))

    assert before - at == {day("2026-09-22")}
    assert at < before
    assert just_before == at
    assert after - at == {day("2026-09-26")}
    assert at < after


@pytest.mark.parametrize(
    ("expiry", "since"),
    [
        ("2026-09-22", "2026-09-18"),  # of a day
        ("2026-10-09", "2026-09-18"),  # of a week
        ("2026-11-27", "2026-08-28"),  # of a month
        ("2026-12-25", "2025-12-26"),  # of a quarter
    ],
)
def test_an_expiry_is_listed_from_its_first_list_to_its_end(expiry, since):
    first = listed_since(day(expiry))

    assert first == second_of(day(since)) + 20
    assert day(expiry) not in expiries(first - 1)
    assert all(day(expiry) in expiries(second) for second in range(first, second_of(day(expiry)), 43_200))
    assert day(expiry) not in expiries(second_of(day(expiry)))


@pytest.mark.parametrize("currency", CURRENCIES)
def test_a_chain_has_about_as_many_options_as_a_recorded_one(currency):
    contracts = [contract for _, each in chain(currency, second_of(NOW)) for contract in each]

    assert 700 < len(contracts) < 1500
    assert len({contract.name for contract in contracts}) == len(contracts)
    assert all(option_of(contract.name) == contract.option for contract in contracts)
    assert all(contract.listed <= second_of(NOW) for contract in contracts)


def test_a_strike_stays_listed_until_its_expiry():
    seen = strikes("BTC", NOW)
    for days in range(1, 40):
        later = strikes("BTC", NOW + timedelta(days=days))
        common = seen.keys() & later.keys()
        assert all(seen[expiry] <= later[expiry] for expiry in common)
        seen = later

    assert seen


def test_a_new_strike_knows_when_it_was_listed():
    day_of_list = day("2026-09-21") + 20 * SECOND
    before = strikes("BTC", day_of_list - SECOND)
    listed_at = second_of(day_of_list)

    for expiry, contracts in chain("BTC", listed_at):
        new = {contract.option.strike for contract in contracts if contract.listed == listed_at}
        assert {contract.option.strike for contract in contracts} - before.get(expiry, set()) == new


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_each_expiry_has_strikes_on_both_sides_of_the_index(currency, seed):
    index = price(f"{currency.lower()}_usd", NOW, seed)

    for _, contracts in chain(currency, second_of(NOW), seed):
        found = [contract.option.strike for contract in contracts]
        assert min(found) < 0.95 * index
        assert max(found) > 1.05 * index


def test_the_nearest_expiry_has_the_finest_strikes():
    listed = strikes("BTC", NOW)
    nearest, last = sorted(listed[expiries(second_of(NOW))[0]]), sorted(listed[expiries(second_of(NOW))[-1]])

    assert min(b - a for a, b in itertools.pairwise(nearest)) == 500
    assert min(b - a for a, b in itertools.pairwise(last)) >= 1000
