"""How often the exchange was asked for each gap, and when it may be asked again."""

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.instants import FOR_EVER
from store.models import Gap

# The wait before a gap is asked for again doubles each time.
_FIRST_RETRY = timedelta(seconds=30)
_LAST_RETRY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Try:
    """How often something was asked for, and when it may be asked for again."""

    number: int
    again_at: datetime

    def failed(self, now: datetime) -> "Try":
        """The state after another failure: the wait is twice as long."""
        return Try(self.number + 1, now + min(_FIRST_RETRY * 2 ** min(self.number, 10), _LAST_RETRY))


_NEVER = Try(0, FOR_EVER)


class Tries:
    """The tries at gaps.

    Args:
        clock: of the client.
        ripe: the age at which a gap is asked for.
    """

    def __init__(self, clock: Callable[[], datetime], ripe: timedelta) -> None:
        self._clock, self._ripe = clock, ripe
        self._of: dict[tuple[str, datetime], Try] = {}

    def keep(self, gaps: Container[tuple[str, datetime]]) -> None:
        """Forget all gaps but these, each by its feed and its start."""
        self._of = {key: tried for key, tried in self._of.items() if key in gaps}

    def number(self, gap: Gap) -> int:
        """How often a gap was asked for in vain."""
        return self._of.get((gap.feed, gap.start), _NEVER).number

    def due(self, gaps: Iterable[Gap]) -> list[Gap]:
        """The gaps that may be asked for now."""
        now = self._clock()
        return [gap for gap in gaps if self._again_at(gap) <= now]

    def note(self, due: Iterable[Gap], healed: Iterable[Gap]) -> None:
        """Set the next try for the rest of each gap."""
        now = self._clock()
        before = {gap.gap: self._of.get((gap.feed, gap.start), _NEVER) for gap in due}
        for gap in (*due, *healed):
            self._of[gap.feed, gap.start] = before.get(gap.gap, _NEVER).failed(now)

    def _again_at(self, gap: Gap) -> datetime:
        tried = self._of.get((gap.feed, gap.start))
        return tried.again_at if tried else gap.end + self._ripe
