"""The limits of the journal and its writer."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """How much waits for the database, and for how long.

    Attributes:
        portion: the records of a kind that one transaction takes; they take 0.25 s.
        portion_rows: the rows of snapshots that one transaction takes, or one snapshot; they take 0.1 s.
        most_waiting: the observations that may wait in memory. 50,000 ticks are seven hours of two indexes at one
            second, about 20 MB.
        most_rows_waiting: the rows of snapshots that may wait in memory. 60,000 rows are about 2.5 hours of chains of
            two currencies each 5 min, about 25 MB.
        most_minutes: the summaries that may wait in memory.
        patience_s: the longest wait for the file before the recorder reports trouble. A lease lasts at most 2 s.
        again_s: the pause before the next try while others have the file. The next slot may be an hour away.
        breath_s: the pause between two portions, or two tries at a stop, for other threads of this process.
        at_once_s: a stop first tries to write for this long, and then keeps the waiting records in a file.
        last_s: after that the stop keeps trying for this long. systemd and Compose grant 30 s.
    """

    portion: int = 2_000
    portion_rows: int = 4_000
    most_waiting: int = 50_000
    most_rows_waiting: int = 60_000
    most_minutes: int = 1440
    patience_s: float = 2.0
    again_s: float = 1.0
    breath_s: float = 0.05
    at_once_s: float = 0.9
    last_s: float = 20.0
