"""The events that rules would have caused on the record: the same events, with the same texts."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.alerts.events import Event, Kind
from store.alerts.healings import closed
from store.alerts.judge import EventMaker, Judge, Watch
from store.alerts.recall import first_observed
from store.alerts.rules.bounded import Series
from store.alerts.rules.condition import Reading
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.tape import Tape
from store.file.database import Database
from store.file.exchange import exchange_of
from store.instants import DAY, EPOCH, HOUR
from store.kinds import TICKS, kind_of
from store.ledger.due import stretches
from store.ledger.gaps import ledger
from store.models import from_column, to_column
from store.progress import Tell, unheard

from .minutes import Leases, Limits, Ticks, read_minutes
from .slots import Holes
from .slots import changes as changes_by_slot
from .ticks import Change, PriceHistory
from .values import Values, read_values

_SNAPSHOT_BEFORE = """
SELECT ts, CAST('nan' AS DOUBLE)
FROM snapshots
WHERE feed = $feed
  AND ts < $end
ORDER BY ts DESC
LIMIT 1
"""

_TICK_BEFORE = """
SELECT ts, price
FROM ticks
WHERE index_name = $feed
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
    feeds: Collection[str],
    start: datetime,
    end: datetime,
    now: datetime,
    tell: Tell = unheard,
    limits: Limits = Limits(),
) -> Replayed:
    """The events that rules cause on feeds in [start, end), as if no event had been before.

    It works beside a recorder, over many short leases. `tell` is called with the number of finished conditions.

    Raises:
        StoreError: the database can't be read.
    """
    with Leases(database, limits.lease_s) as leases:
        maker = EventMaker({}, exchange_of(leases.cursor()))
        judge = Judge(rules, {name: Tape(_POLL_SECONDS, timedelta(0)) for name in feeds}, {}, maker)
        part = _Part(leases, limits.days, maker, start, end, now)
        found, days = list(part.of_gaps(judge)), set[int]()
        done = 0
        for name in feeds:
            found += part.of_slots(name, judge.by_slot[name])
            done += len(judge.by_slot[name])
            if kind_of(name) is not TICKS:
                continue
            history = part.history(name, judge.by_tick[name])
            days |= history.minutes.days(start)
            for watch in judge.by_tick[name]:
                found += part.of_changes(watch, history.changes(watch, start, end))
                done += 1
                tell(done, len(judge.watches))
        for series, watches in judge.by_series.items():
            past = part.values(series, watches)
            days |= past.days(start)
            for watch in watches:
                found += part.of_changes(watch, past.changes(watch, start))
                done += 1
                tell(done, len(judge.watches))
    return Replayed(sorted(found, key=lambda event: event.at), -(-(end - start) // DAY), len(days))


@dataclass(frozen=True)
class _Part:
    """A replay of [start, end), split by what decides: gaps, slots, ticks, values of a market."""

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

    def history(self, feed: str, watches: Sequence[Watch]) -> PriceHistory:
        """The prices of an index, from as long before the start as any condition looks back."""
        length = max((watch.rule.looks_back for watch in watches), default=timedelta(0))
        since = first_observed(self.leases.cursor(), feed)
        first = self.end if since is None else max(self.start - length, since)
        minutes = read_minutes(self.leases, feed, first, self.end)
        return PriceHistory(minutes, Ticks(self.leases, feed, self.days), since)

    def of_changes(self, watch: Watch, changes: Iterable[Change]) -> Iterator[Event]:
        for change in changes:
            tape = Tape(_POLL_SECONDS, timedelta(0))
            tape.ts, tape.price = change.at, change.price
            yield self._event(watch, tape, change.event, change.reading, change.at, was_on=change.was_on)

    def values(self, series: Series, watches: Sequence[Watch]) -> Values:
        """The values of a number, from as long before the start as any condition looks back."""
        first = self.start - max(watch.rule.looks_back for watch in watches)
        return read_values(self.leases, series, first, self.end)

    def of_slots(self, feed: str, watches: Sequence[Watch]) -> Iterator[Event]:
        if not watches:
            return
        cursor = self.leases.cursor()
        # The last slot may end after the range, by at most an hour.
        holes = Holes(ledger(cursor, EPOCH, self.end + HOUR, self.now, [feed]))
        due = [each for each in stretches(cursor, self.start, self.end) if each.up and feed in each.feeds]
        for change in changes_by_slot(watches, holes, due):
            tape = change.tape
            self._hear(feed, tape)
            yield self._event(change.watch, tape, change.event, change.reading, tape.slot, was_on=change.was_on)

    def _hear(self, feed: str, tape: Tape) -> None:
        """Give a tape the newest tick or snapshot at the end of its slot."""
        values = {"feed": feed, "end": to_column(tape.slot + tape.period)}
        newest = _TICK_BEFORE if kind_of(feed) is TICKS else _SNAPSHOT_BEFORE
        found = self.leases.cursor().execute(newest, values).fetchone()
        if found is not None:
            tape.ts, tape.price = from_column(found[0]), found[1]

    def _event(self, watch: Watch, tape: Tape, event: Kind, reading: Reading, at: datetime, *, was_on: bool) -> Event:
        return self.maker.change(watch, tape, event, reading, at, self.now, was_on=was_on)
