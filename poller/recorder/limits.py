"""The numbers that a recorder keeps to, in one place."""

from dataclasses import dataclass, field

from poller.history.limits import Limits as HistoryLimits
from poller.journal.limits import Limits as JournalLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recorder waits, and how much it holds.

    Attributes:
        store_wait_s: for the file before the first slot, and for one answer about whose prices come. A writer waits
            0.1 s where all goes well.
        names_s: for the list of index names.
        minute_s: between two summaries, and between two heartbeats.
        doubt_s: how long replies tell another time before the exchange is asked for its own.
        journal: of what waits for the database.
        history: of the work beside the slots.
    """

    store_wait_s: float = 0.9
    names_s: float = 3.0
    minute_s: int = 60
    doubt_s: float = 30.0
    journal: JournalLimits = field(default_factory=JournalLimits)
    history: HistoryLimits = field(default_factory=HistoryLimits)
