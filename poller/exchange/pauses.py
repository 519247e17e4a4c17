"""The pauses that the exchange asks for: of one question, of one method, or of all requests."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from .errors import ExchangeError, PausedError, RateLimitedError
from .wire import LONGEST_PAUSE_S

# Codes about the method that was asked, and codes about all our requests. Any other error pauses one question: a pause
# for one index costs no other index its slot.
_OF_ONE_METHOD = frozenset({13025, 13503})
_OF_ALL_REQUESTS = frozenset({10028, 10066})
_ALL = ""


@dataclass(frozen=True, slots=True)
class _Pause:
    until: datetime
    reason: str
    code: int | None


class Pauses:
    """Refuses questions until their pauses are over, by `clock`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._pauses: dict[str, _Pause] = {}

    @property
    def silent_until(self) -> datetime | None:
        """The end of the pause that the exchange asked for all requests; it may be past."""
        return self._pauses[_ALL].until if _ALL in self._pauses else None

    def until(self, method: str) -> datetime | None:
        """The end of the longest pause of a method, of its questions, or of all requests; it may be past."""
        ends = (pause.until for paused, pause in self._pauses.items() if paused.startswith(method) or paused == _ALL)
        return max(ends, default=None)

    def refuse(self, method: str, asked: str) -> None:
        """Check that a question may be asked now.

        Raises:
            PausedError: its pause is not over.
        """
        for paused in (_ALL, method, asked):
            pause = self._pauses.get(paused)
            if pause is None:
                continue
            left = pause.until - self._clock()
            if left > timedelta(seconds=LONGEST_PAUSE_S):  # the clock was set back
                del self._pauses[paused]
            elif left > timedelta(0):
                words = f"paused until {pause.until:%H:%M:%S} UTC: {pause.reason}"
                raise PausedError(words, code=pause.code, left=left)

    def note(self, error: ExchangeError, method: str, asked: str) -> None:
        """Begin the pause that an error asks for, if it asks for one."""
        if isinstance(error, RateLimitedError) or error.code in _OF_ALL_REQUESTS:
            paused = _ALL
        else:
            paused = method if error.code in _OF_ONE_METHOD else asked
        until = self._clock() + error.pause
        known = self._pauses.get(paused)
        if error.pause and (known is None or until > known.until):
            self._pauses[paused] = _Pause(until, str(error), error.code)
