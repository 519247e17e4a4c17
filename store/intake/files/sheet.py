"""A sheet of an Excel file, as a text that is read like any other."""

import csv
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from store.errors import FileError

from .packing import damaged, is_of_system
from .table import plain

_HEADER_WITHIN = 50


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet.

    Attributes:
        name: of the sheet.
        path: of a CSV file with its rows; times are in ISO 8601.
    """

    name: str
    path: Path


def sheet_of(path: Path, folder: Path, called: str, known: Sequence[str]) -> Sheet:
    """Copy the sheet with prices, without holding it in memory.

    Args:
        path: of the .xlsx file.
        folder: for the copy.
        called: the file, in words.
        known: names of a time's column, in lower case. The sheet that has such a name counts.

    Raises:
        FileError: several sheets, or none, could be meant.
    """
    target = folder / "sheet.csv"
    try:
        return Sheet(_copied(path, target, called, known), target)
    except FileError:
        raise
    except Exception as error:  # openpyxl raises of what is damaged whatever comes up
        if is_of_system(error):  # a full disk is no fault of the file
            raise
        raise damaged(called) from error


def _copied(path: Path, target: Path, called: str, known: Sequence[str]) -> str:
    """Copy the sheet with prices, and return its name."""
    import openpyxl  # most imports don't need it

    with warnings.catch_warnings(), path.open("rb") as file:
        warnings.simplefilter("ignore")  # of styles and extensions that say nothing about values
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        sheet = _chosen(book.worksheets, called, known)
        with target.open("w", encoding="utf-8", newline="") as copy:
            csv.writer(copy, lineterminator="\n").writerows(_texts(sheet))
        return str(sheet.title)


def _chosen(sheets: Sequence[Any], called: str, known: Sequence[str]) -> Any:
    fitting = [sheet for sheet in sheets if _has_a_time(sheet, known)] or sheets
    if len(fitting) != 1:
        names = ", ".join(sheet.title for sheet in fitting)
        raise FileError(
            f"{called} has {len(fitting)} sheets that could be meant ({names}): save the one with the prices as CSV"
        )
    return fitting[0]


def _has_a_time(sheet: Any, known: Sequence[str]) -> bool:
    rows = sheet.iter_rows(max_row=_HEADER_WITHIN, values_only=True)
    return any(plain(str(value)) in known for row in rows for value in row)


def _texts(sheet: Any) -> Iterator[list[str]]:
    for row in sheet.iter_rows(values_only=True):
        texts = [_text(value) for value in row]
        if any(texts):
            yield texts


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat(sep=" ") if isinstance(value, datetime) else value.isoformat()
    return "" if value is None else str(value)
