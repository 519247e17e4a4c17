"""How far the exchange's clock is ahead of ours, by its replies."""

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.file.clock import OFF_S

# One of 60 replies is quick: it comes over a kept connection while no other request runs.
_KEPT = 60

# A clock that was set, or that drifts, is noticed after at most ten minutes, however rarely the exchange is asked.
_OLD_S = 600.0


@dataclass(frozen=True, slots=True, order=True)
class _Compared:
    """The seconds that a reply was on the way, how far it shows the exchange's clock ahead, and when it came."""

    way_s: float
    skew_s: float
    at_s: float = field(compare=False)


class Comparison:
    """Compares clocks by the quickest of the last replies, as NTP does. Both ways are assumed to take equally long.

    Each question has one vote, the quickest of its own last replies: one price with a wrong time outvotes no other.

    `steady` counts seconds of a clock that nobody sets.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self.steady = steady
        self._compared: defaultdict[str, deque[_Compared]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def note(
        self, asked: str, sent_at: datetime, heard_at: datetime, *, waited_s: float, handled_in: timedelta
    ) -> None:
        """Note when the exchange sent a reply, when we received it, and how many seconds passed since the question."""
        way_s = waited_s - handled_in.total_seconds()
        if way_s < 0:  # the exchange states an impossible time of its own
            way_s = waited_s
        skew_s = (sent_at - heard_at).total_seconds() + way_s / 2
        self._compared[asked].append(_Compared(way_s, skew_s, self.steady()))

    def forget(self) -> None:
        """Forget all replies, because our clock was set."""
        self._compared.clear()

    @property
    def skew_s(self) -> float | None:
        """How far the exchange's clock is ahead of ours, by most questions.

        None without a reply in the last ten minutes, or without a majority of questions.
        """
        votes = self._votes()
        if not votes:
            return None
        middle = statistics.median_low(votes)
        agree = sum(abs(vote - middle) < OFF_S for vote in votes)
        return middle if 2 * agree > len(votes) else None

    @property
    def disputed(self) -> bool:
        """Are there replies, but no majority of questions that agree?"""
        return bool(self._votes()) and self.skew_s is None

    def _votes(self) -> list[float]:
        oldest_s = self.steady() - _OLD_S
        for asked, compared in list(self._compared.items()):
            while compared and compared[0].at_s < oldest_s:
                compared.popleft()
            if not compared:
                del self._compared[asked]
        return [min(compared).skew_s for compared in self._compared.values()]
