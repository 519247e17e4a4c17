"""The result of a fault."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from store.instants import EPOCH


@dataclass
class Result:
    """The result of a fault that was injected several times. All is well if `error` is empty and the losses are 0.

    others_lost: lost slots of feeds that the fault does not concern; None if they were not counted.
    note: further counts of this kind of fault, in words.
    """

    fault: str
    times: int = 0
    acknowledged: int = 0
    lost: int = 0
    invented: int = 0
    unexplained: int = 0
    others_lost: int | None = None
    recovery_s: list[float] = field(default_factory=list)
    note: str = ""
    error: str = ""

    @property
    def well(self) -> bool:
        return not (self.lost or self.invented or self.unexplained or self.others_lost or self.error)


def empty_slots(
    rows: Sequence[tuple[Any, ...]], index_names: Sequence[str], now: datetime
) -> Iterator[tuple[str, datetime]]:
    """The seconds between an index's first and last observation in which no observation was made on either clock.

    A row has the index, the time of a price, the price, the seconds that it is an average over, and the time
    of receipt, which imported rows lack; times are in microseconds since 1970.
    """
    for index_name in index_names:
        observed = [row for row in rows if row[0] == index_name and not row[3] and row[4]]
        sent, received = ({row[column] // 1_000_000 for row in observed} for column in (1, 4))
        due = range(min(sent), min(max(sent), int(now.timestamp()) - 2))
        for second in sorted({*due} - sent - received):
            yield index_name, EPOCH + timedelta(seconds=second)
