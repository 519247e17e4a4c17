"""A price that differs by a power of ten from its neighbours in the file is asked of before it is stored."""

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from store.errors import FileError
from store.intake.imports import import_files, look_at
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from tests.store.histories import at
from tests.store.intake.test_kinds import stored
from tests.support.foreign_files import nobody_listens, written

NAMED = Columns(resolution_s=0)
STEP = "its price of btc_usd steps from {} to {} at 2026-11-01 {} UTC, by a power of ten"


def prices(path: Path, *of_btc: float, apart: timedelta = timedelta(seconds=1), beside: int = 0) -> Path:
    """A file of prices, with so many other indexes at each time."""
    rows: list[tuple[Any, ...]] = []
    for ts, price in zip((at(1) + apart * number for number in count()), of_btc, strict=False):
        rows += [(ts.isoformat(), f"{'abc'[number]}_usd", 1000**number) for number in range(beside)]
        rows.append((ts.isoformat(), "btc_usd", price))
    return written(path, "ts,index_name,price", *rows)


def joins(database, path: Path, rows: int = 100_000) -> tuple[str, ...]:
    (found,) = look_at(database, [path], NAMED, nobody_listens, Limits(rows=rows))
    return found.joins


@pytest.mark.parametrize("rows", [1, 2, 3, 100_000])
@pytest.mark.parametrize("beside", [0, 3])
def test_a_price_that_is_a_power_of_ten_off_is_told_and_stored_only_if_the_user_is_sure(
    database, tmp_path, rows, beside
):
    path = prices(tmp_path / "a.csv", 42_000, 42_010, 4201.5, 42_020, 42_030, beside=beside)
    says = STEP.format("42,010.00", "4,201.50", "12:00:03") + ", and one more such step"

    assert joins(database, path, rows) == (says,)
    with pytest.raises(FileError, match=f"{says}: say --decimal if the sign is misread, or --sure to store it"):
        list(import_files(database, [path], NAMED, nobody_listens))
    assert stored(database) == []
    (sure,) = import_files(database, [path], NAMED, nobody_listens, sure=True)

    assert sure.stored == 5 * (1 + beside)


@pytest.mark.parametrize("factor", [0.001, 0.01, 0.1, 10, 100, 1000])
def test_a_step_by_any_power_of_ten_is_told(database, tmp_path, factor):
    (step,) = joins(database, prices(tmp_path / "a.csv", 42_000, 42_010 * factor))

    assert step.endswith(" at 2026-11-01 12:00:02 UTC, by a power of ten")


def test_steps_are_found_in_the_order_of_time_and_counted(database, tmp_path):
    path = prices(tmp_path / "a.csv", 42_000, 4200, 42_000, 42, 42_001, 42_002)
    header, *rows = path.read_text().splitlines(keepends=True)
    path.write_text(header + "".join(reversed(rows)))

    (step,) = joins(database, path)

    assert step == STEP.format("42,000.00", "4,200.00", "12:00:02") + ", and 3 more such steps"


@pytest.mark.parametrize(
    ("of_btc", "apart"),
    [
        ((100, 250, 600, 1500, 4000), timedelta(seconds=1)),
        ((100, 3000, 100), timedelta(seconds=1)),
        ((100, 1000, 10_000), timedelta(days=2)),
        ((1e-300, 1e300), timedelta(days=2)),
    ],
)
def test_other_steps_and_steps_over_days_are_not_told(database, tmp_path, of_btc, apart):
    assert joins(database, prices(tmp_path / "a.csv", *of_btc, apart=apart, beside=2)) == ()
