"""A file of another tool than the user names, or of several instruments, is refused with what to say instead."""

import pytest

from tests.store.intake.test_kinds import BTC, OHLC, candles, imported, iso, klines, stored, written_as
from tests.store.intake.test_look import refusal, text

TRADINGVIEW = candles(f"time,{OHLC}", iso)
METATRADER = candles("", written_as("%Y.%m.%d,%H:%M:%S"), more=",7")


@pytest.mark.parametrize(
    ("like", "content", "says"),
    [
        (
            "binance",
            TRADINGVIEW,
            "has no open_time or open time; it has time, open, high, low, close: say --like tradingview",
        ),
        ("tardis", TRADINGVIEW, "it has no timestamp; it has time, open, high, low, close: say --like tradingview"),
        (
            "tradingview",
            candles(f"Date,{OHLC}", iso),
            "it has no time; it has Date, open, high, low, close: say --like cryptodatadownload or metatrader or yahoo",
        ),
        (
            "yahoo",
            "Datum,Kurs\n2026-03-14,1\n",
            "it has no date; it has Datum, Kurs: leave out --like, and name its columns with --time and --price",
        ),
        (
            "binance",
            METATRADER,
            (
                "its columns have no names, and its first row is 2026.03.14, 15:08:26, 42001.5, 42009.5, 41991.5, "
                "42000.5, 7: say --like metatrader"
            ),
        ),
        ("metatrader", klines(), ": say --like binance"),
        (
            "binance",
            "2026-03-14,1\n2026-03-15,2\n",
            "its first row is 2026-03-14, 1: leave out --like, and name its columns with --time and --price",
        ),
    ],
)
def test_a_file_that_is_not_like_the_named_tool_is_refused_with_the_tools_that_it_is_like(
    database, tmp_path, like, content, says
):
    path = text(tmp_path / "a.csv", content)

    refused = refusal(database, path, like=like, **BTC)

    assert refused.startswith(f"{path} is not like {like}: ")
    assert refused.endswith(says)


def test_a_damaged_row_without_names_makes_a_file_no_less_like_its_tool(database, tmp_path):
    first, *others = klines().splitlines(keepends=True)
    path = text(tmp_path / "a.csv", first.replace(",4", ",x") + "".join(others))

    result = imported(database, path, like="binance", **BTC)

    assert (result.stored, result.bad) == (4, 1)
    assert len(stored(database)) == 4


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (
            {},
            (
                "its column 'symbol' has 2 instruments, BTCUSDT, ETHUSDT, and none is an index name such as btc_usd: "
                "import a file of each, and name its index with --index"
            ),
        ),
        (
            BTC,
            (
                "its column 'symbol' has 2 instruments, BTCUSDT, ETHUSDT, and --index btc_usd would make them one: "
                "import a file of each, with its own --index"
            ),
        ),
    ],
)
def test_a_file_of_two_instruments_is_refused_with_what_to_give(database, tmp_path, columns, says):
    path = text(tmp_path / "a.csv", "ts,price,symbol\n1793534401,1,BTCUSDT\n1793534401,2,ETHUSDT\n")

    assert refusal(database, path, **columns) == f"{path}: {says}"


def test_numbers_in_a_column_of_instruments_are_not_counted(database, tmp_path):
    path = text(tmp_path / "a.csv", "ts,price,symbol\n1793534401,1,7\n1793534401,2,8\n")

    assert "its column 'symbol' has 7, 8, which is no index name such as btc_usd" in refusal(database, path)
