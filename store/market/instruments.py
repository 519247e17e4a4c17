"""The names of options and futures.

Source: docs.deribit.com, "Naming", and recorded lists of instruments.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from store.words import shortened

OptionType = Literal["call", "put"]

# The names of months depend on the locale in strftime and strptime.
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")

_UNDERLYING, _DATE = r"([A-Z0-9]+(?:_[A-Z0-9]+)?)", r"([0-9]{1,2})([A-Z]{3})([0-9]{2})"
_OPTION = re.compile(rf"{_UNDERLYING}-({_DATE})-([0-9]+(?:d[0-9]+)?)-([CP])")
_FUTURE = re.compile(rf"{_UNDERLYING}-(PERPETUAL|{_DATE})")

_SETTLED_AT_HOUR = 8


class Option(NamedTuple):
    """An option.

    Attributes:
        underlying: the first part of its name: "BTC", or "XRP_USDC" for a linear option.
        expiry: aware, in UTC: 08:00 of a day from 2000 to 2099.
        strike: in USD, or in the second currency of a linear option; above 0.
        option_type: "call" or "put".
    """

    underlying: str
    expiry: datetime
    strike: float
    option_type: OptionType


class Future(NamedTuple):
    """A future.

    Attributes:
        underlying: the first part of its name: "BTC", or "BTC_USDC" for a linear future.
        expiry: aware, in UTC: 08:00 of a day from 2000 to 2099. None for the perpetual.
    """

    underlying: str
    expiry: datetime | None


def is_linear(underlying: str) -> bool:
    """Is an underlying's option priced in the second currency of its name, such as USDC? Others are priced in coin."""
    return "_" in underlying


def usd_index(currency: str) -> str:
    """The index that the instruments of a currency are settled by, such as "btc_usd" of BTC."""
    return f"{currency.lower()}_usd"


def option_of(name: str) -> Option:
    """The option with a name such as BTC-25DEC26-90000-C. A strike of 2d1 is 2.1.

    Raises:
        ValueError: it is not the name of an option.
    """
    found = _OPTION.fullmatch(name)
    expiry = _expiry(found[2]) if found else None
    strike = float(found[6].replace("d", ".")) if found else 0.0
    if found is None or expiry is None or not 0 < strike < float("inf"):
        raise ValueError(f"{shortened(name)} is not the name of an option, such as BTC-25DEC26-90000-C")
    return Option(found[1], expiry, strike, "call" if found[7] == "C" else "put")


def option_name(option: Option) -> str:
    """The name of an option as the exchange spells it. `option_of` reads it back."""
    # A float in its shortest digits, without an exponent.
    strike = f"{Decimal(repr(float(option.strike))):f}".removesuffix(".0").replace(".", "d")
    return f"{option.underlying}-{_date(option.expiry)}-{strike}-{option.option_type[0].upper()}"


def future_of(name: str) -> Future:
    """The future with a name such as BTC-25DEC26, or the perpetual with a name such as BTC-PERPETUAL.

    Raises:
        ValueError: it is not the name of a future.
    """
    found = _FUTURE.fullmatch(name)
    expiry = _expiry(found[2]) if found else None
    if found is None or (expiry is None and found[2] != "PERPETUAL"):
        raise ValueError(f"{shortened(name)} is not the name of a future, such as BTC-25DEC26 or BTC-PERPETUAL")
    return Future(found[1], expiry)


def future_name(future: Future) -> str:
    """The name of a future as the exchange spells it. `future_of` reads it back."""
    return f"{future.underlying}-{'PERPETUAL' if future.expiry is None else _date(future.expiry)}"


@lru_cache(maxsize=256)  # A chain has a thousand names and a dozen dates.
def _expiry(date: str) -> datetime | None:
    """The instant of expiry on a date such as 25DEC26; None if there is no such day."""
    day, month, year = date[:-5], date[-5:-2], date[-2:]
    try:
        return datetime(2000 + int(year), _MONTHS.index(month) + 1, int(day), _SETTLED_AT_HOUR, tzinfo=UTC)
    except ValueError:
        return None


def _date(expiry: datetime) -> str:
    """The date of an expiry such as 25DEC26; a day below 10 has one digit."""
    return f"{expiry.day}{_MONTHS[expiry.month - 1]}{expiry:%y}"
