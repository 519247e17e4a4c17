"""How many of the observations that wait go into one transaction, and which ones are given up when too many wait."""

from collections.abc import Sequence
from datetime import datetime

from poller.feeds.feed import Observation
from store.models import Snapshot

from .limits import Limits

Placed = tuple[datetime, Observation]
"""An observation with its slot."""


def fitting(observed: Sequence[Placed], limits: Limits) -> int:
    """How many of the oldest observations fit into one transaction; at least one, however many rows it has."""
    rows = 0
    for count, (_, observation) in enumerate(observed[: limits.portion]):
        rows += _rows_of(observation)
        if count and rows > limits.portion_rows:
            return count
    return min(len(observed), limits.portion)


def cut_back(observed: Sequence[Placed], limits: Limits) -> tuple[list[Placed], list[Placed]]:
    """Split observations into a part that goes on waiting and a part that is given up.

    The oldest ones beyond `most_waiting` are given up, and the oldest snapshots while more than `most_rows_waiting`
    rows wait. So large snapshots never cost a tick.
    """
    beyond = max(0, len(observed) - limits.most_waiting)
    given_up, waiting = list(observed[:beyond]), []
    rows = sum(_rows_of(observation) for _, observation in observed[beyond:])
    for placed in observed[beyond:]:
        its_rows = _rows_of(placed[1])
        if its_rows and rows > limits.most_rows_waiting:
            given_up.append(placed)
            rows -= its_rows
        else:
            waiting.append(placed)
    return waiting, given_up


def _rows_of(observation: Observation) -> int:
    return len(observation.rows) if isinstance(observation, Snapshot) else 0
