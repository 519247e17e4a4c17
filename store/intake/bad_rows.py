"""The file of the rows that can't be ticks, beside the file that has them. It is never written over."""

import filecmp
import shutil
import tempfile
from itertools import count
from pathlib import Path

from .rows.work import Work

_COPY = "COPY bad TO $target (FORMAT csv, HEADER)"


def place_for(path: Path, otherwise: Path) -> Path:
    """The folder for the bad rows of a file: its own one, or another one where that can't be written."""
    try:
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError:
        return otherwise
    return path.parent


def write_bad_rows(work: Work, place: Path) -> Path:
    """Write the table `bad` to a file, and return it.

    A file that is there stays as it is: the user may have mended it. Equal rows are not written twice.
    """
    made = work.folder / "bad-rows.csv"
    work.ask(_COPY, {"target": str(made)})
    names = (f"{work.path.name}.bad-rows{'' if number == 1 else f'-{number}'}.csv" for number in count(1))
    places = (place / name for name in names)
    target = next(each for each in places if not each.exists() or filecmp.cmp(made, each, shallow=False))
    if not target.exists():
        shutil.move(made, target)
    return target
