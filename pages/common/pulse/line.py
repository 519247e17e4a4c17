"""What the line says: its words around the age of the newest price, and its mark."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from store.file.recorder import Notice
from store.health.status import age_in_words
from store.instants import stale_after_s

Mark = Literal["fresh", "failing", "none"]

_SILENT_AFTER_S = 30
"""The shortest time without a refresh after which the line says that the server is silent."""

_MISSED_REFRESHES = 3


@dataclass(frozen=True)
class Line:
    """The line as the server knows it. The browser puts the age between the words and counts it up.

    Attributes:
        before, after: the words around the age. Both are empty where there is nothing to say.
        age_s: the age of the newest price; None without a price.
        mark: "fresh" while all is well, "failing" while a feed fails, "none" while there is nothing to judge.
        stale_after_s: the age from which on the mark is orange whatever the server said.
    """

    before: str = ""
    after: str = ""
    age_s: float | None = None
    mark: Mark = "none"
    stale_after_s: float = 0

    def told(self, at_s: float, refreshed_every_s: float, end: str) -> dict[str, Any]:
        """What the browser is told at a refresh.

        Args:
            at_s: the server's time. It differs at each refresh, and shows the browser which refreshes came late.
            refreshed_every_s: the time between two refreshes.
            end: what follows the state, whatever the state is.
        """
        silent_after_s = max(_SILENT_AFTER_S, _MISSED_REFRESHES * refreshed_every_s)
        return {**asdict(self), "at_s": at_s, "silent_after_s": silent_after_s, "end": end}


def line_of(notice: Notice, words: str, age_s: float | None) -> Line:
    """The line of a recorder at work.

    Args:
        notice: of the recorder.
        words: its state, with the age as `age_in_words` writes it.
        age_s: the age of the newest price.
    """
    return _around_the_age(words, age_s, "failing" if notice.failing else "fresh", notice.poll_seconds)


def line_of_lake(words: str, age_s: float | None, period_s: int) -> Line:
    """The line of a dashboard that reads a lake, which has something new each `period_s`; words as of `line_of`."""
    return _around_the_age(words, age_s, "fresh", period_s)


def newest_price(age_s: float | None, poll_seconds: int) -> Line:
    """The line of a recorder that is not at work; a box below the line has its words."""
    if age_s is None:
        return Line()
    return Line("The newest price is ", age_s=age_s, stale_after_s=stale_after_s(poll_seconds))


def _around_the_age(words: str, age_s: float | None, mark: Mark, period_s: int) -> Line:
    if age_s is None:
        return Line(words)
    before, _, after = words.partition(age_in_words(age_s))
    return Line(before, after, age_s, mark, stale_after_s(period_s))
