"""Where ticks are missing between a bar and the one before."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

# A run that was killed has no end; it lasted at most until the next one began.
_RUNS = """
SELECT started_at, ended_at, feeds[$index_name] AS poll_seconds
FROM (
    SELECT
        started_at,
        feeds,
        coalesce(ended_at, lead(started_at) OVER (ORDER BY started_at), TIMESTAMP 'infinity') AS ended_at
    FROM runs
)
WHERE map_contains(feeds, $index_name)
  AND started_at < $end
ORDER BY started_at
"""


def gaps_before(
    cursor: DuckDBPyConnection, index_name: str, frame: "pd.DataFrame", interval: timedelta
) -> "np.ndarray[Any, Any]":
    """Is more time between a row and the one before than that one's bar or average, or the runs of both, explain?

    A row of averages that lies in no run lasts as long as its longest average. For an observed one, such as an imported
    tick, the usual distance is the median of such rows; while that is unknown, nothing is missing after it.

    Args:
        cursor: of a lease.
        index_name: of the rows.
        frame: rows with open_time (datetime64[us], UTC), ascending, observed_count and resolution_s.
        interval: of a bar; 0 where each row is a tick.
    """
    import numpy as np

    opened = frame["open_time"].to_numpy()
    polled_s = _polled_s(cursor, index_name, opened, interval or timedelta.resolution)
    distance_s = np.diff(opened) / np.timedelta64(1, "s")
    in_none, observed = np.isnan(polled_s), frame["observed_count"].to_numpy() > 0
    alone = in_none & observed
    apart_s = distance_s[alone[:-1] & alone[1:]]
    median_s = np.median(apart_s) if len(apart_s) > 1 else np.nan
    usual_s = np.select([alone, in_none], [median_s, 0.0], polled_s)
    usual_s = np.nan_to_num(np.fmax(usual_s[:-1], polled_s[1:]), nan=np.inf)
    lasts_s = np.maximum(1.5 * frame["resolution_s"].to_numpy()[:-1], 1.5 * interval.total_seconds())
    return np.concatenate([np.zeros(min(1, len(frame)), bool), distance_s > np.maximum(lasts_s, 2.5 * usual_s)])


def _polled_s(
    cursor: DuckDBPyConnection, index_name: str, opened: "np.ndarray[Any, Any]", interval: timedelta
) -> "np.ndarray[Any, Any]":
    """The seconds between two polls in the last run of the index that each row lies in; NaN where it lies in none."""
    import numpy as np

    if not len(opened):
        return np.empty(0)
    values = {"index_name": index_name, "end": opened[-1].item() + interval}
    runs = cursor.execute(_RUNS, values).fetchnumpy()
    number = np.searchsorted(runs["started_at"], opened + np.timedelta64(interval))
    ended = np.concatenate([[np.datetime64("NaT")], runs["ended_at"]])
    polled = np.concatenate([[np.nan], runs["poll_seconds"]])
    return np.where(ended[number] >= opened, polled[number], np.nan)
