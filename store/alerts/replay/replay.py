"""The events that rules would have caused on the record: the same events, with the same texts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.alerts.events import Event, Kind
from store.alerts.healings import closed
from store.alerts.judge import EventMaker, Judge, Watch
from store.alerts.recall import first_observed
from store.alerts.rules.condition import Reading
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.file.database import Database
from store.file.exchange import exchange_of
from store.instants import DAY, EPOCH, HOUR
from store.ledger.due import stretches
from store.ledger.gaps import ledger
from store.models import from_column, to_column
from store.progress import Tell, unheard

from .minutes import Leases, Limits, Ticks, read_minutes
from .slots import Holes
from .slots import changes as changes_by_slot
from .ticks import PriceHistory

_NEWEST_BEFORE = """
SELECT ts, price
FROM ticks
WHERE index_name = $index_name
  AND ts < $end
  AND resolution_s = 0
ORDER BY ts DESC
LIMIT 1
"""

_POLL_SECONDS = 1
"""A period for tapes that only price rules read: these rules ignore it."""


@dataclass(frozen=True)
class Replayed:
    """Events, ascending by time, and how many days of the range have observations."""

    events: list[Event]
    days: int
    days_observed: int


def replay(
    database: Database,
    rules: Sequence[AnyRule],
    index_names: Sequence[str],
    start: datetime,
    end: datetime,
    now: datetime,
    tell: Tell = unheard,
    limits: Limits = Limits(),
) -> Replayed:
    """The events that rules cause in [start, end), as if no event had been before.

    It works beside a recorder, over many short leases. `tell` is called with the number of finished conditions.

    Raises:
        StoreError: the database can't be read.
    """
    with Leases(database, limits.lease_s) as leases:
        maker = EventMaker({}, exchange_of(leases.cursor()))
        judge = Judge(rules, {name: Tape(_POLL_SECONDS, timedelta(0)) for name in index_names}, {}, maker)
        part = _Part(leases, limits.days, maker, start, end, now)
        found, days = list(part.of_gaps(judge)), set[int]()
        done = 0
        for name in index_names:
            history, these = part.history(name, judge.by_tick[name]), judge.by_slot[name]
            days |= history.minutes.days(start)
            found += part.of_slots(name, these)
            done += len(these)
            for watch in judge.by_tick[name]:
                found += part.of_ticks(history, watch)
                done += 1
                tell(done, len(judge.watches))
    return Replayed(sorted(found, key=lambda event: event.at), -(-(end - start) // DAY), len(days))


@dataclass(frozen=True)
class _Part:
    """A replay of [start, end), split by what decides: gaps, slots, ticks."""

    leases: Leases
    days: int
    maker: EventMaker
    start: datetime
    end: datetime
    now: datetime

    def of_gaps(self, judge: Judge) -> Iterator[Event]:
        for _, gap, at in list(closed(self.leases.cursor(), self.start, self.end)):
            if gap.feed in judge.tapes:
                yield from judge.closed(gap, at, self.now)

    def history(self, index_name: str, watches: Sequence[Watch]) -> PriceHistory:
        """The prices of an index, from as long before the start as any condition looks back."""
        length = max((watch.rule.looks_back for watch in watches), default=timedelta(0))
        since = first_observed(self.leases.cursor(), index_name)
        first = self.end if since is None else max(self.start - length, since)
        minutes = read_minutes(self.leases, index_name, first, self.end)
        return PriceHistory(minutes, Ticks(self.leases, index_name, self.days), since)

    def of_ticks(self, history: PriceHistory, watch: Watch) -> Iterator[Event]:
        for change in history.changes(watch, self.start, self.end):
            tape = Tape(_POLL_SECONDS, timedelta(0))
            tape.ts, tape.price = change.at, change.price
            yield self._event(watch, tape, change.event, change.reading, change.at, was_on=change.was_on)

    def of_slots(self, index_name: str, watches: Sequence[Watch]) -> Iterator[Event]:
        if not watches:
            return
        cursor = self.leases.cursor()
        # The last slot may end after the range, by at most an hour.
        holes = Holes(ledger(cursor, EPOCH, self.end + HOUR, self.now, [index_name]))
        due = [each for each in stretches(cursor, self.start, self.end) if each.up and index_name in each.feeds]
        for change in changes_by_slot(watches, holes, due):
            tape = change.tape
            self._hear(index_name, tape)
            yield self._event(change.watch, tape, change.event, change.reading, tape.slot, was_on=change.was_on)

    def _hear(self, index_name: str, tape: Tape) -> None:
        """Give a tape the newest tick at the end of its slot."""
        values = {"index_name": index_name, "end": to_column(tape.slot + tape.period)}
        found = self.leases.cursor().execute(_NEWEST_BEFORE, values).fetchone()
        if found is not None:
            tape.ts, tape.price = from_column(found[0]), found[1]

    def _event(self, watch: Watch, tape: Tape, event: Kind, reading: Reading, at: datetime, *, was_on: bool) -> Event:
        return self.maker.change(watch, tape, event, reading, at, self.now, was_on=was_on)
