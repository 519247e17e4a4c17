"""Keeps a lake quick to read: many small files become few, and what is not needed any more is removed."""

from datetime import datetime, timedelta

import duckdb
from duckdb import DuckDBPyConnection

from store.progress import Tell, unheard

from .connection import NAME, Lake
from .faults import is_conflict
from .tables import PUBLISHED

EACH = timedelta(hours=1)
"""An hour's publications are sixty small files of a table, which are merged in half a second."""

_KEPT = timedelta(days=7)
"""A reader may ask for the lake as it was up to a week ago."""

_DELETED_AFTER = timedelta(days=1)
"""A reader that began before a merge still finds its files for a day."""

# A day of option chains is such a file. Each merge writes a file anew, so larger ones stay as they are.
_LARGEST = 8_000_000

# Publishers commit all the time. Unlike them, a merge may simply commit after them: it changes no row.
_RETRIES = 10

# Averages that gave way, and runs that have ended since, are marked as deleted. A file with such marks is never merged.
_REWRITE = f"SELECT count(*) FROM ducklake_rewrite_data_files('{NAME}', '{{table}}', delete_threshold => 0)"  # noqa: S608 constants
_MERGE = f"SELECT count(*) FROM ducklake_merge_adjacent_files('{NAME}', '{{table}}', max_file_size => {_LARGEST})"  # noqa: S608 constants
_EXPIRE = f"SELECT count(*) FROM ducklake_expire_snapshots('{NAME}', older_than => '{{before}}'::TIMESTAMPTZ)"  # noqa: S608 constants
_DELETE = f"SELECT count(*) FROM ducklake_cleanup_old_files('{NAME}', older_than => '{{before}}'::TIMESTAMPTZ)"  # noqa: S608 constants


def keep_up(lake: Lake, now: datetime, tell: Tell = unheard) -> int:
    """Merge small files of each month, expire snapshots after 7 days, and delete files a day after they were merged.

    Several machines may do this at once, beside publishers and readers. No row changes.

    Args:
        lake: to keep.
        now: aware.
        tell: hears how many steps are done.

    Returns:
        How many merged files were written.

    Raises:
        StoreError: the lake can't be reached or written. Each step is whole or left out.
    """
    steps = [step.format(table=table) for table in PUBLISHED for step in (_REWRITE, _MERGE)]
    merges = len(steps)
    steps.append(_EXPIRE.format(before=(now - _KEPT).isoformat()))
    steps.append(_DELETE.format(before=(now - _DELETED_AFTER).isoformat()))
    with lake.open() as cursor:
        cursor.execute(f"SET ducklake_max_retry_count = {_RETRIES}")
        done = []
        for number, step in enumerate(steps):
            tell(number, len(steps))
            done.append(_done(cursor, step))
    return sum(done[:merges])


def _done(cursor: DuckDBPyConnection, step: str) -> int:
    """The result of a step; 0 if another machine did the same at the same time."""
    try:
        ((count,),) = cursor.execute(step).fetchall()
    except duckdb.Error as error:
        if not is_conflict(error):
            raise
        return 0
    return int(count)
