"""The numbers that a recorder keeps to, in one place."""

from dataclasses import dataclass, field

from poller.history.limits import Limits as HistoryLimits


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a recorder waits, and how much it holds.

    Attributes:
        store_wait_s: for the file before the first slot, and for one answer about whose prices come. A writer waits
            0.1 s where all goes well.
        names_s: for the list of index names.
        minute_s: between two summaries, and between two heartbeats.
        doubt_s: how long replies tell another time before the exchange is asked for its own.
        portion: records of a kind that one transaction takes, in a quarter of a second.
        most_waiting: ticks that wait in memory. 50,000 are seven hours of two indexes at one second, about 20 MB.
        most_minutes: summaries that wait in memory.
        patience_s: a lease lasts 2 s at most. A write that waits longer is told to be shut out.
        again_s: until the next try while others have the file; a slot may be an hour away.
        breath_s: between two portions, or two tries at a stop, for others in this process.
        at_once_s: a stop tries for this long before it keeps what waits in a file.
        last_s: and goes on trying for this long. systemd and Compose grant 30 s.
        history: of the work beside the slots.
    """

    store_wait_s: float = 0.9
    names_s: float = 3.0
    minute_s: int = 60
    doubt_s: float = 30.0
    portion: int = 2_000
    most_waiting: int = 50_000
    most_minutes: int = 1440
    patience_s: float = 2.0
    again_s: float = 1.0
    breath_s: float = 0.05
    at_once_s: float = 0.9
    last_s: float = 20.0
    history: HistoryLimits = field(default_factory=HistoryLimits)
