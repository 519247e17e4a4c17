"""How far the exchange's clock is ahead of ours, as its replies tell."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

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

    `steady` counts seconds that nobody sets.
    """

    def __init__(self, steady: Callable[[], float] = time.monotonic) -> None:
        self.steady = steady
        self._compared: deque[_Compared] = deque(maxlen=_KEPT)

    def note(self, sent_at: datetime, heard_at: datetime, *, waited_s: float, handled_in: timedelta) -> None:
        """Note a reply: when the exchange sent it, when we heard it, and the seconds in between question and reply."""
        way_s = waited_s - handled_in.total_seconds()
        if way_s >= 0:  # else the exchange's own time for it can't be true
            skew_s = (sent_at - heard_at).total_seconds() + way_s / 2
            self._compared.append(_Compared(way_s, skew_s, self.steady()))

    def forget(self) -> None:
        """Forget all replies: our clock was set."""
        self._compared.clear()

    @property
    def skew_s(self) -> float | None:
        """How far the exchange's clock is ahead of ours; None without a reply in the last ten minutes."""
        while self._compared and self.steady() - self._compared[0].at_s > _OLD_S:
            self._compared.popleft()
        return min(self._compared).skew_s if self._compared else None
