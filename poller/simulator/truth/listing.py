"""Which options and futures are listed at an instant.

Source: support.deribit.com 25944688876957, and two recorded lists: options and futures of BTC and ETH expire on four
days to come, three Fridays, the last Fridays of three months and of four quarters. Each day's list begins 20 s after
08:00 UTC. A strike stays listed once it is, so each expiry has strikes around all prices of the index in its life.
"""

import calendar
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from store.market.instruments import Option, option_name

from .noise import stream
from .prices import price

CURRENCIES = ("BTC", "ETH")
"""The currencies whose options and futures are listed."""

DAY_S = 86_400
EXPIRY_S = 8 * 3600
"""Expiry is at 08:00 UTC: this many seconds of the day."""

_LISTED_AFTER_S = 20
_DAILIES, _WEEKLIES, _MONTHLIES, _QUARTERLIES = 4, 3, 3, 4
_FRIDAY = 4
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class _Ladder:
    """The strikes of an expiry, as shares of the index.

    Strikes are `step` apart from `low` to `high` times each price, and `coarser` times as far apart further out. The
    expiry is listed so many months, or days, before.
    """

    step: float
    low: float
    high: float
    coarser: int
    lowest: float
    highest: float
    months: int = 0
    days: int = 0


# As recorded on 2026-08-22, when BTC stood at 77,000: 1,038 options with steps of 500, 1,000, 2,000 and 5,000.
_DAILY = _Ladder(0.00625, 0.95, 1.05, 2, 0.87, 1.13, days=_DAILIES)
_WEEKLY = _Ladder(0.0125, 0.9, 1.1, 2, 0.8, 1.2, days=7 * _WEEKLIES)
_MONTHLY = _Ladder(0.0125, 0.85, 1.15, 5, 0.5, 1.5, months=_MONTHLIES)
_QUARTERLY = _Ladder(0.025, 0.75, 1.25, 5, 0.4, 2.5, months=3 * _QUARTERLIES)


class Contract(NamedTuple):
    """An option that is listed: its name, the second since 1970 when it was listed, and the key of its chance."""

    option: Option
    name: str
    listed: int
    key: int


def second_of(at: datetime) -> int:
    """The whole seconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)


def instant_of(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def expiries(second: int) -> list[datetime]:
    """The expiries that are listed at a second since 1970, soonest first."""
    return [expiry for day in _listed_days(_list_day(second)) if (expiry := _expiry(day)) > instant_of(second)]


def listed_since(expiry: datetime) -> int:
    """The second since 1970 when an expiry was listed."""
    return _lists_at(_first_day(second_of(expiry) // DAY_S))


def chain(currency: str, second: int, seed: int = 1) -> list[tuple[datetime, tuple[Contract, ...]]]:
    """The options of each expiry that are listed at a second since 1970, by strike, each call before its put."""
    day = _list_day(second)
    return [(expiry, _contracts(currency, expiry, day, seed)) for expiry in expiries(second)]


def _list_day(second: int) -> int:
    """The day since 1970 whose list is in force at a second."""
    return (second - EXPIRY_S - _LISTED_AFTER_S) // DAY_S


def _lists_at(day: int) -> int:
    return day * DAY_S + EXPIRY_S + _LISTED_AFTER_S


def _expiry(day: int) -> datetime:
    return instant_of(day * DAY_S + EXPIRY_S)


@lru_cache(maxsize=64)
def _listed_days(day: int) -> tuple[int, ...]:
    """The days of expiry in the list of a day, ascending."""
    friday = day + 1 + (_FRIDAY - _date(day + 1).weekday()) % 7
    days = {day + 1 + i for i in range(_DAILIES)} | {friday + 7 * i for i in range(_WEEKLIES)}
    days.update(itertools.islice(_last_fridays(day, 1), _MONTHLIES))
    days.update(itertools.islice(_last_fridays(day, 3), _QUARTERLIES))
    return tuple(sorted(days))


def _last_fridays(day: int, months: int) -> Iterator[int]:
    """The last Fridays, after a day, of every month or of every third."""
    found = (_last_friday(month) for month in itertools.count(_month(day)) if (month + 1) % months == 0)
    return (friday for friday in found if friday > day)


def _last_friday(month: int) -> int:
    """The day since 1970 of the last Friday of a month; months count from the year 0."""
    year, index = divmod(month, 12)
    last = date(year, index + 1, calendar.monthrange(year, index + 1)[1])
    return (last - _EPOCH).days - (last.weekday() - _FRIDAY) % 7


def _first_day(day: int) -> int:
    """The day of the first list that has an expiry."""
    ladder = _ladder_of(day)
    return _last_friday(_month(day) - ladder.months) if ladder.months else day - ladder.days


def _ladder_of(day: int) -> _Ladder:
    if _date(day).weekday() != _FRIDAY:
        return _DAILY
    if _last_friday(_month(day)) != day:
        return _WEEKLY
    return _MONTHLY if _date(day).month % 3 else _QUARTERLY


def _month(day: int) -> int:
    """The month of a day; months count from the year 0."""
    return _date(day).year * 12 + _date(day).month - 1


def _date(day: int) -> date:
    return _EPOCH + timedelta(days=day)


# 12 expiries of two currencies, on two days.
@lru_cache(maxsize=64)
def _contracts(currency: str, expiry: datetime, day: int, seed: int) -> tuple[Contract, ...]:
    found = []
    for strike, listed in _strikes(currency, second_of(expiry) // DAY_S, day, seed):
        for option_type in ("call", "put"):
            option = Option(currency, expiry, float(strike), option_type)
            name = option_name(option)
            found.append(Contract(option, name, listed, stream(f"{seed} {name}")))
    return tuple(found)


def _strikes(currency: str, day_of_expiry: int, day: int, seed: int) -> list[tuple[int, int]]:
    """Each strike in the list of a day, ascending, with the second since 1970 when it was listed."""
    ladder, first = _ladder_of(day_of_expiry), _first_day(day_of_expiry)
    step = _round_step(ladder.step * _index(currency, first, seed))
    found: dict[int, int] = {}
    least, most = math.inf, 0.0
    for each in range(first, day + 1):
        index = _index(currency, each, seed)
        if least <= index <= most:
            continue
        least, most = min(least, index), max(most, index)
        for strike in itertools.chain(
            _multiples(step, ladder.low * index, ladder.high * index),
            _multiples(step * ladder.coarser, ladder.lowest * index, ladder.highest * index),
        ):
            found.setdefault(strike, _lists_at(each))
    return sorted(found.items())


def _index(currency: str, day: int, seed: int) -> float:
    """The index when the list of a day begins."""
    return price(f"{currency.lower()}_usd", instant_of(_lists_at(day)), seed)


def _round_step(near: float) -> int:
    """The nearest of 1, 2, 5, 10, 20, 50 and so on."""
    tens: int = 10 ** max(0, math.floor(math.log10(near)))
    return min((tens, 2 * tens, 5 * tens, 10 * tens), key=lambda step: abs(math.log(step / near)))


def _multiples(step: int, low: float, high: float) -> range:
    return range(max(1, math.ceil(low / step)) * step, int(high) + 1, step)
