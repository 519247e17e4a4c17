"""The limits of a recorder."""

from dataclasses import dataclass, field

from poller.history.limits import Limits as HistoryLimits
from poller.journal.limits import Limits as JournalLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recorder waits, and how much it holds.

    Attributes:
        store_wait_s: the wait for the file before the first slot, and for one reply that says which exchange it is. A
            writer normally waits 0.1 s.
        names_s: the wait for the list of index names.
        minute_s: the time between two summaries, and between two heartbeats.
        doubt_s: after this long of replies with another time than ours, the recorder asks the exchange for its time.
        journal: the limits of records that wait for the database.
        history: the limits of backfill and upkeep.
    """

    store_wait_s: float = 0.9
    names_s: float = 3.0
    minute_s: int = 60
    doubt_s: float = 30.0
    journal: JournalLimits = field(default_factory=JournalLimits)
    history: HistoryLimits = field(default_factory=HistoryLimits)
