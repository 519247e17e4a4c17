"""The numbers of the work that runs beside the slots, in one place."""

from dataclasses import dataclass
from datetime import timedelta

from poller.exchange.client import ChartRange

from .charts import RANGES


@dataclass(frozen=True, slots=True)
class Limits:
    """How often history work runs, and how long it waits.

    Attributes:
        look_for_gaps_s: between two looks for gaps. A look costs some 5 ms, 40 ms where it has to open the file.
        close_candles_s: between two foldings of candles, the shortest of which last a minute.
        checkpoint_s: between two looks whether a checkpoint is due. Without one, each opening of the file reads again
            what was written since, such as a chain.
        pack_s: between two looks for option rows of days that are over. A look costs some 5 ms.
        check_s: between two times that the self-checks of the market run. They take some 50 ms.
        ripe: the age at which a gap is asked for: the exchange has the averages of its last seconds by then.
        ranges: of the exchange's charts, finest first.
        longest_chart_s: a chart of an hour takes half a second; one that takes longer than this is given up.
    """

    look_for_gaps_s: float = 20.0
    close_candles_s: float = 60.0
    checkpoint_s: float = 10.0
    pack_s: float = 600.0
    check_s: float = 60.0
    ripe: timedelta = timedelta(seconds=15)
    ranges: tuple[ChartRange, ...] = RANGES
    longest_chart_s: float = 30.0
