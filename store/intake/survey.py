"""Looks through all rows of a file once: their order, their times, and what each index has."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.models import from_column

from .look import Instrument
from .rows.foreign import Statement
from .rows.work import Work

# Each row is compared with the two rows before only. So three indexes at one instant look like possible duplicates,
# which costs time but changes nothing.
_SURVEY = """
SELECT
    index_name,
    count(*),
    min(ts),
    max(ts),
    arg_min(price, ts),
    arg_max(price, ts),
    min(price),
    max(price),
    coalesce(bool_or(ts < before), false),
    coalesce(bool_or(ts = before AND (index_name = index_before OR ts = two_before)), false),
    coalesce(bool_or(source = 'simulator'), false),
    list(DISTINCT resolution_s)
FROM (
    SELECT
        index_name,
        ts,
        price,
        source,
        resolution_s,
        row,
        lag(ts) OVER () AS before,
        lag(ts, 2) OVER () AS two_before,
        lag(index_name) OVER () AS index_before
    FROM ({judged})
    WHERE fault IS NULL
      AND row >= $first
      AND row < $end
)
GROUP BY index_name
"""


_WIDE = 9
"""A little less than a power of ten."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Some rows of a file, in the order of time.

    Attributes:
        first, end: their places in the file, half-open.
        rows: how many of them can be ticks.
        start, last: the times of the first and the last one.
        doubled: may two of them have the same index and time?
    """

    first: int
    end: int
    rows: int
    start: datetime
    last: datetime
    doubled: bool


@dataclass(slots=True)
class Survey:
    """What a file's good rows have, as far as they were looked through.

    Attributes:
        portions: the rows, cut into portions.
        wide: the portions in which the price of an index spans a power of ten, with its price before the portion.
        ordered: do they come in the order of time?
        simulated: did the simulator make any of them?
        resolutions: the seconds that their prices are averages over; 0 for observations.
        instruments: the rows of each index.
    """

    portions: list[Portion] = field(default_factory=list)
    wide: list[Portion] = field(default_factory=list)
    ordered: bool = True
    simulated: bool = False
    resolutions: set[int] = field(default_factory=set)
    instruments: dict[str, Instrument] = field(default_factory=dict)

    @property
    def by_name(self) -> tuple[Instrument, ...]:
        """The instruments, ordered by name."""
        return tuple(self.instruments[name] for name in sorted(self.instruments))

    def extend(self, later: "Survey") -> None:
        """Add what the rows after these have."""
        follows = not (self.portions and later.portions) or self.portions[-1].last <= later.portions[0].start
        self.ordered = self.ordered and later.ordered and follows
        self.simulated = self.simulated or later.simulated
        self.resolutions |= later.resolutions
        self.portions += later.portions
        self.wide += [portion for portion in later.portions if self._is_wide(later)]
        for name, its in later.instruments.items():
            known = self.instruments.get(name)
            self.instruments[name] = its if known is None else known.with_rows(its)

    def _is_wide(self, later: "Survey") -> bool:
        before = {name: its.last_price for name, its in self.instruments.items()}
        return any(
            max(its.highest, before.get(name, 0)) > _WIDE * min(its.lowest, before.get(name, its.lowest))
            for name, its in later.instruments.items()
        )


def survey(work: Work, judged: Statement, count: int) -> Survey:
    """Look through all rows, two portions at a time: a window without a partition keeps one core busy."""
    whole, rows = Survey(), work.limits.rows
    starts = range(0, count, rows)
    with ThreadPoolExecutor(2) as pool:
        looked = pool.map(lambda first: _look(work.scratch, judged, first, min(count, first + rows)), starts)
        for number, found in enumerate(looked):
            whole.extend(found)
            work.tell(f"looking through {work.path.name}", number + 1, len(starts))
    return whole


def _look(scratch: DuckDBPyConnection, judged: Statement, first: int, end: int) -> Survey:
    """Look through some rows."""
    with scratch.cursor() as cursor:
        values = judged.values | {"first": first, "end": end}
        found = cursor.execute(_SURVEY.format(judged=judged.rows), values).fetchall()
    if not found:
        return Survey()
    names, counts, starts, lasts, *prices, disordered, doubled, simulated, resolutions = zip(*found, strict=True)
    portion = Portion(first, end, sum(counts), from_column(min(starts)), from_column(max(lasts)), any(doubled))
    instruments = {
        name: Instrument(name, rows, from_column(start), from_column(last), *its)
        for name, rows, start, last, *its in zip(names, counts, starts, lasts, *prices, strict=True)
    }
    return Survey([portion], [], not any(disordered), any(simulated), set().union(*resolutions), instruments)
