"""How far a file is shared by a lake, for the command line, the API, metrics, pages and alerts."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from settings import Settings
from store.lake.notice import read_notice

LAGS_AFTER_S = 180
"""A publication begins each minute. With a longer lag, two are lost."""


@dataclass(frozen=True)
class Sharing:
    """How far a file is shared, and whether publishing keeps up.

    Attributes:
        state: "ok", "lagging", or "never" while no publication was finished.
        shared_to: all that was recorded before this time is in the lake; None if the state is "never".
        lag_s: how long ago that was.
        rows, conflicts, trouble: as of the notice.
    """

    state: Literal["ok", "lagging", "never"]
    shared_to: datetime | None
    lag_s: float | None
    rows: int
    conflicts: int
    trouble: str

    @property
    def is_behind(self) -> bool:
        """Does publishing not keep up, or fail before its first time?"""
        return self.state == "lagging" or (self.state == "never" and self.trouble != "")

    def as_json(self) -> dict[str, Any]:
        """The state as an object, its time in ISO 8601."""
        return {**asdict(self), "shared_to": None if self.shared_to is None else self.shared_to.isoformat()}


def sharing(settings: Settings, now: datetime) -> Sharing | None:
    """How far the file of some settings is shared, by the notice of its publisher; None if it is not to be shared.

    Args:
        settings: name the lake and the file.
        now: the time by the exchange's clock.
    """
    if settings.lake is None or settings.poller == "lake":
        return None
    notice = read_notice(settings.database)
    to = notice.shared_to
    lag_s = None if to is None else max(0.0, round((now - to).total_seconds(), 3))
    state: Literal["ok", "lagging", "never"] = "never" if lag_s is None else "lagging" if lag_s > LAGS_AFTER_S else "ok"
    return Sharing(state, to, lag_s, notice.rows, notice.conflicts, notice.trouble)
