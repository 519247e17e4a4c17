"""How far the exchange's clock is ahead of ours, as its replies tell."""

import statistics
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from store.file.clock import OFF_S

# One of 60 replies is quick: a connection that is kept, and nothing else under way.
_KEPT = 60

# A clock that was set, or that drifts, is seen after ten minutes at most, however rarely the exchange is asked.
_OLD_S = 600.0


@dataclass(frozen=True, slots=True, order=True)
class _Compared:
    """Seconds that a reply was on the way, how far it shows the exchange's clock ahead, and when that was."""

    way_s: float
    skew_s: float
    at_s: float = field(compare=False)


class Comparison:
    """Compares clocks by the quickest of the last replies, as NTP does: both ways are taken to last equally long.

    Each question has one vote, the quickest of its own last replies: one price with a wrong time outvotes no other.

    `steady` counts seconds that nobody sets.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self.steady = steady
        self._compared: defaultdict[str, deque[_Compared]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def note(
        self, asked: str, sent_at: datetime, heard_at: datetime, *, waited_s: float, handled_in: timedelta
    ) -> None:
        """Note a reply: when the exchange sent it, when we heard it, and the seconds in between question and reply."""
        way_s = waited_s - handled_in.total_seconds()
        if way_s < 0:  # the exchange's own time for it can't be true
            way_s = waited_s
        skew_s = (sent_at - heard_at).total_seconds() + way_s / 2
        self._compared[asked].append(_Compared(way_s, skew_s, self.steady()))

    def forget(self) -> None:
        """Forget all replies: our clock was set."""
        self._compared.clear()

    @property
    def skew_s(self) -> float | None:
        """How far the exchange's clock is ahead of ours, as most questions tell.

        None without a reply in the last ten minutes, and while no majority of questions agrees.
        """
        votes = self._votes()
        if not votes:
            return None
        middle = statistics.median_low(votes)
        agree = sum(abs(vote - middle) < OFF_S for vote in votes)
        return middle if 2 * agree > len(votes) else None

    @property
    def disputed(self) -> bool:
        """Are there replies, and no majority of questions agrees?"""
        return bool(self._votes()) and self.skew_s is None

    def _votes(self) -> list[float]:
        oldest_s = self.steady() - _OLD_S
        for asked, compared in list(self._compared.items()):
            while compared and compared[0].at_s < oldest_s:
                compared.popleft()
            if not compared:
                del self._compared[asked]
        return [min(compared).skew_s for compared in self._compared.values()]
