"""The numbers that the journal and its writer keep to, in one place."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much waits for the database, and for how long.

    Attributes:
        portion: records of a kind that one transaction takes, in a quarter of a second.
        most_waiting: observations that wait in memory. 50,000 ticks are seven hours of two indexes at one second, about
            20 MB.
        most_minutes: summaries that wait in memory.
        patience_s: a lease lasts 2 s at most. A write that waits longer is told to be shut out.
        again_s: until the next try while others have the file; a slot may be an hour away.
        breath_s: between two portions, or two tries at a stop, for others in this process.
        at_once_s: a stop tries for this long before it keeps what waits in a file.
        last_s: and goes on trying for this long. systemd and Compose grant 30 s.
    """

    portion: int = 2_000
    most_waiting: int = 50_000
    most_minutes: int = 1440
    patience_s: float = 2.0
    again_s: float = 1.0
    breath_s: float = 0.05
    at_once_s: float = 0.9
    last_s: float = 20.0
