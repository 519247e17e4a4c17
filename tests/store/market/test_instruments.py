"""The names of options and futures are read and written as the exchange spells them."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.market.instruments import (
    Future,
    Option,
    future_name,
    future_of,
    is_linear,
    option_name,
    option_of,
)

OPTIONS = {
    "BTC-25DEC26-90000-C": Option("BTC", datetime(2026, 12, 25, 8, tzinfo=UTC), 90000.0, "call"),
    "ETH-5DEC26-1950-P": Option("ETH", datetime(2026, 12, 5, 8, tzinfo=UTC), 1950.0, "put"),
    "XRP_USDC-30JUN25-2d1-C": Option("XRP_USDC", datetime(2025, 6, 30, 8, tzinfo=UTC), 2.1, "call"),
    "1000PEPE_USDC-29FEB28-0d00625-P": Option("1000PEPE_USDC", datetime(2028, 2, 29, 8, tzinfo=UTC), 0.00625, "put"),
}

FUTURES = {
    "BTC-PERPETUAL": Future("BTC", None),
    "BTC-25DEC26": Future("BTC", datetime(2026, 12, 25, 8, tzinfo=UTC)),
    "BTC_USDC-PERPETUAL": Future("BTC_USDC", None),
    "ETH_USDC-4DEC26": Future("ETH_USDC", datetime(2026, 12, 4, 8, tzinfo=UTC)),
}

UNDERLYINGS = st.sampled_from(["BTC", "ETH", "SOL_USDC", "1000PEPE_USDC"])
EXPIRIES = st.dates(date(2000, 1, 1), date(2099, 12, 31)).map(lambda day: datetime.combine(day, time(8), tzinfo=UTC))


@pytest.mark.parametrize(("name", "option"), OPTIONS.items())
def test_an_option_is_read_from_its_name_and_written_back(name, option):
    assert option_of(name) == option
    assert option_name(option) == name


@pytest.mark.parametrize(("name", "future"), FUTURES.items())
def test_a_future_is_read_from_its_name_and_written_back(name, future):
    assert future_of(name) == future
    assert future_name(future) == name


@given(
    option=st.builds(
        Option,
        UNDERLYINGS,
        EXPIRIES,
        st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        st.sampled_from(["call", "put"]),
    )
)
def test_each_option_has_a_name_of_its_own(option):
    assert option_of(option_name(option)) == option


@given(future=st.builds(Future, UNDERLYINGS, EXPIRIES | st.none()))
def test_each_future_has_a_name_of_its_own(future):
    assert future_of(future_name(future)) == future


def test_the_strike_of_a_whole_number_is_written_like_that_of_a_float():
    assert option_name(option_of("BTC-25DEC26-90000-C")._replace(strike=90000)) == "BTC-25DEC26-90000-C"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "BTC-25DEC26",
        "BTC-PERPETUAL",
        "BTC-25DEC26-90000",
        "BTC-25DEC26-90000-X",
        "BTC-25DEC26-90000-C\n",
        "BTC-25DEC26-9.5-C",
        "BTC-25DEC26-0-C",
        "BTC-25DEC26-d5-C",
        "BTC-31FEB26-90000-C",
        "BTC-0DEC26-90000-C",
        "BTC-25DEZ26-90000-C",
        "BTC-٢٥DEC26-90000-C",
        "btc-25DEC26-90000-C",
        "BTC-CS-19MAY26-70000_75000",
        f"BTC-25DEC26-{'9' * 400}-C",
    ],
)
def test_any_other_name_is_not_an_option(name):
    with pytest.raises(ValueError, match=r"^'.* is not the name of an option, such as BTC-25DEC26-90000-C$"):
        option_of(name)


@pytest.mark.parametrize(
    "name", ["", "BTC", "BTC-25DEC26-90000-C", "BTC-31FEB26", "BTC-perpetual", "BTC-FS-19MAY26_PERP", "BTC_USDC"]
)
def test_any_other_name_is_not_a_future(name):
    with pytest.raises(ValueError, match=r"^'.*' is not the name of a future, such as BTC-25DEC26 or BTC-PERPETUAL$"):
        future_of(name)


def test_an_underlying_of_two_currencies_is_linear():
    assert [name for name in ("BTC", "ETH", "XRP_USDC") if is_linear(name)] == ["XRP_USDC"]
