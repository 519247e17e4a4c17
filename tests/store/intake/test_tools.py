"""The same thousand ticks, written by several tools in several zones and decimal signs, are the same thousand ticks."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import duckdb
import openpyxl
import pandas as pd
import polars as pl
import pytest

from tests.conftest import WHOLE
from tests.support.foreign_files import ready_in, ticks_of

# Clocks are set back in Berlin and Lord Howe within their time: some hours come twice.
BEGINS = (datetime(2026, 10, 24, 22, 30, tzinfo=UTC), datetime(2026, 4, 4, 14, tzinfo=UTC))
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")

TICKS = [
    (BEGINS[number % 2] + timedelta(seconds=13 * number), 900 + number * 11_909.37 % 119_000) for number in range(1000)
]
TICKS = [(ts, round(price, 2)) for ts, price in TICKS]

Price = Callable[[float], str]
"""Writes a price."""


def with_point(price: float) -> str:
    return f"{price:.2f}"


def with_comma(price: float) -> str:
    return with_point(price).replace(".", ",")


def with_groups(price: float) -> str:
    return f"{price:,.2f}"


SIGNS = (with_point, with_comma, with_groups)


def frame(zone: str) -> pd.DataFrame:
    times, prices = zip(*TICKS, strict=True)
    return pd.DataFrame({"ts": pd.DatetimeIndex(times).tz_convert(zone), "price": prices})


def by_pandas(zone: str, price: Price, path: Path) -> None:
    rows = frame(zone)
    rows["price"] = rows["price"].map(price)
    rows.to_csv(path, index=zone == "UTC", sep=";" if price is with_comma else ",")


def by_pandas_in_parquet(zone: str, price: Price, path: Path) -> None:
    unit: Literal["ns", "us", "ms"] = "ns" if price is with_point else "us" if price is with_comma else "ms"
    rows = frame(zone)
    rows["ts"] = rows["ts"].dt.as_unit(unit)
    rows.to_parquet(path)


def by_polars(zone: str, price: Price, path: Path) -> None:
    rows = pl.DataFrame(
        {"ts": [ts.astimezone(ZoneInfo(zone)) for ts, _ in TICKS], "price": [value for _, value in TICKS]}
    )
    rows = rows.with_columns(pl.col("ts").dt.convert_time_zone(zone))
    if price is with_point:
        rows.write_csv(path)
    elif price is with_comma:
        rows.write_csv(path, separator=";", decimal_comma=True)
    else:
        rows.with_columns(pl.col("price").map_elements(price, return_dtype=pl.String)).write_csv(path)


def by_duckdb(zone: str, price: Price, path: Path) -> None:
    rows = pd.DataFrame({"ts": [ts.isoformat() for ts, _ in TICKS], "price": [price(value) for _, value in TICKS]})  # noqa: F841 read by the query
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        sign = ";" if price is with_comma else ","
        connection.execute(
            f"COPY (SELECT CAST(ts AS TIMESTAMPTZ) AS ts, price FROM rows) TO '{path}' (FORMAT csv, DELIMITER '{sign}')"
        )


def by_openpyxl(zone: str, price: Price, path: Path) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Prices")
    sheet.append(["ts", "price"])
    for ts, value in TICKS:
        local = ts.astimezone(ZoneInfo(zone))
        sheet.append(
            [ts.replace(tzinfo=None) if zone == "UTC" else str(local), value if price is with_point else price(value)]
        )
    book.save(path)


def like_r(zone: str, price: Price, path: Path) -> None:
    sign = ";" if price is with_comma else ","
    text = io.StringIO(f'""{sign}"ts"{sign}"price"\n')
    text.seek(0, io.SEEK_END)
    for number, (ts, value) in enumerate(TICKS):
        quoted = f'"{price(value)}"' if price is with_groups else price(value)
        text.write(f'"{number + 1}"{sign}"{ts.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M:%S%z}"{sign}{quoted}\n')
    path.write_text(text.getvalue())


@pytest.mark.parametrize("by", [by_pandas, by_pandas_in_parquet, by_polars, by_duckdb, by_openpyxl, like_r])
def test_what_a_tool_writes_in_any_zone_and_with_any_decimal_sign_are_the_same_ticks(tmp_path, by):
    path = tmp_path / "prices"
    for zone, price in [*product(ZONES, SIGNS)] if WHOLE else zip(ZONES, 2 * SIGNS, strict=False):
        by(zone, price, path)

        assert ticks_of(ready_in(path, tmp_path)) == sorted(TICKS)


@pytest.mark.parametrize("name", ["excel.xlsx", "german.csv", "utf-16.csv"])
def test_a_thousand_ticks_that_libreoffice_saved_are_the_same_ticks(tmp_path: Path, name: str):
    """Debian's LibreOffice 7.4 saved them, from `TICKS` in UTC: as Excel, in German, and as Unicode text with tabs."""
    file = ready_in(Path(__file__).parent / "from_libreoffice" / name, tmp_path)

    assert ticks_of(file) == sorted(TICKS)
