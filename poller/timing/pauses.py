"""The pauses before what ended by itself is started anew."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Pauses:
    """The pauses between a recorder, or a publisher, that ended by itself and the next one.

    Attributes:
        first: the first pause. Each further pause is twice as long as the one before.
        longest: the longest pause.
        look_again_s: the time between two checks whether it has ended.
    """

    first: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(minutes=10)
    look_again_s: float = 1.0

    def after(self, tries: int) -> timedelta:
        """The pause after `tries` of them in a row ended by themselves."""
        doubled: int = 2 ** min(max(tries, 1) - 1, 10)
        return min(self.first * doubled, self.longest)
