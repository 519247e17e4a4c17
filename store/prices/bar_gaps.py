"""Where ticks are missing between a bar and the one before."""

from datetime import datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

from store.instants import FOR_EVER
from store.models import to_column

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_RUNS = """
SELECT started_at, ended_at, feeds[$index_name]
FROM runs
WHERE started_at < $end
"""


def gaps_before(
    cursor: DuckDBPyConnection,
    index_name: str,
    opened: "Array",
    observed: "Array",
    resolution_s: "Array",
    interval: timedelta,
) -> "Array":
    """Is more time between a row and the one before than that one's bar or average, or the runs of both, explain?

    A row of averages that lies in no run lasts as long as its longest average. For an observed one, such as an imported
    tick, the usual distance is the median of such rows; while that is unknown, nothing is missing after it.

    Args:
        cursor: of a lease.
        index_name: of the rows.
        opened: the time of each row (datetime64[us], UTC), ascending.
        observed: has it an observation?
        resolution_s: the longest time in seconds that one of its ticks is an average over.
        interval: of a bar; 0 where each row is a tick.
    """
    import numpy as np

    polled_s = _polled_s(cursor, index_name, opened, interval or timedelta.resolution)
    distance_s = np.diff(opened) / np.timedelta64(1, "s")
    in_none = np.isnan(polled_s)
    alone = in_none & observed
    apart_s = distance_s[alone[:-1] & alone[1:]]
    median_s = np.median(apart_s) if len(apart_s) > 1 else np.nan
    usual_s = np.select([alone, in_none], [median_s, 0.0], polled_s)
    usual_s = np.nan_to_num(np.fmax(usual_s[:-1], polled_s[1:]), nan=np.inf)
    lasts_s = np.maximum(1.5 * resolution_s[:-1], 1.5 * interval.total_seconds())
    return np.concatenate([np.zeros(min(1, len(opened)), bool), distance_s > np.maximum(lasts_s, 2.5 * usual_s)])


def _polled_s(cursor: DuckDBPyConnection, index_name: str, opened: "Array", interval: timedelta) -> "Array":
    """The seconds between two polls in the last run of the index that each row lies in; NaN where it lies in none."""
    import numpy as np

    if not len(opened):
        return np.empty(0)
    started, ended, polled = _runs(cursor, index_name, opened[-1].item() + interval)
    number = np.searchsorted(np.array(started, opened.dtype), opened + np.timedelta64(interval))
    lasts = np.array([None, *ended], opened.dtype)[number] >= opened
    return np.where(lasts, np.array([np.nan, *polled])[number], np.nan)


def _runs(
    cursor: DuckDBPyConnection, index_name: str, before: datetime
) -> tuple[list[datetime], list[datetime], list[int]]:
    """When the runs of an index began and ended, as columns, and the seconds between their polls.

    A run that was killed has no end; it lasted at most until the next one began. Told here: a window of the query takes
    0.4 ms.
    """
    rows = sorted(cursor.execute(_RUNS, {"index_name": index_name, "end": before}).fetchall(), key=itemgetter(0))
    following = [*(started for started, *_ in rows[1:]), to_column(FOR_EVER)]
    its = [
        (started, ended or begins, polled)
        for (started, ended, polled), begins in zip(rows, following, strict=False)
        if polled is not None
    ]
    return [row[0] for row in its], [row[1] for row in its], [row[2] for row in its]
