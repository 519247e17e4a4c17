"""Tables have numbers with fitting digits, and times that can be told apart."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from pages.common.words import tables, text


@pytest.mark.parametrize(
    ("prices", "shown"),
    [
        ([97_010.0, 4_000.0], "%,.2f"),
        ([0.99, 1.01], "%,.6f"),
        ([0.00001234], "%,.10f"),
        ([97_010.0, 0.52345], "plain"),
        ([97_010.0, float("nan"), None], "%,.2f"),
        ([None], "plain"),
        ([0.0, 1.0], "plain"),
    ],
)
def test_no_price_loses_its_digits(prices, shown):
    column = tables.prices(["Price"], prices)["Price"]

    assert dict(column["type_config"] or {})["format"] == shown


@pytest.mark.parametrize(
    ("fraction", "percent"), [(0, 0), (1e-9, 0.01), (0.5, 50), (0.99999, 99.99), (1, 100), (0.07, 7)]
)
def test_a_share_is_whole_only_when_nothing_is_missing(fraction, percent):
    assert tables.percent_of(fraction) == percent


@pytest.mark.parametrize("fraction", [0.0173, -0.0173, -0.00001, 0.0])
def test_a_change_is_rounded_as_in_words(fraction):
    assert f"{tables.change(fraction):.2f} %" == text.change(fraction).removeprefix("+")


def test_the_times_of_a_column_are_those_of_the_words():
    zone = ZoneInfo("Europe/Berlin")
    for month in (7, 10):
        start = datetime(2026, month, 25, 0, 15, tzinfo=UTC)
        times = [start + timedelta(minutes=30 * number) for number in range(5)]

        assert list(tables.stamps(pd.Series(times), zone)) == [text.stamp(at, zone) for at in times]
