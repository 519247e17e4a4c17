"""One transaction makes records durable: all of them, or none."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from poller.alerts.judging import Alerts, Judging, UnjudgedError, nobody
from poller.feeds.feed import Feed, Observation
from store.file.database import Cursor, Database
from store.file.exchange import admit, refuse_another
from store.health import vitals
from store.health.refused import refusals_told
from store.health.vitals import Vitals
from store.kinds import FUTURES, OPTIONS, TICKS, Kind, kind_of
from store.ledger import arrivals, runs
from store.market import chains, trades
from store.models import Exchange, Miss, Run
from store.prices import ticks

Queued = Run | tuple[datetime, Observation] | Miss | Vitals
"""A record that waits; an observation comes with its slot."""


class Shift(NamedTuple):
    """By how much the slots of some feeds are later, up to the slot `last`."""

    feeds: tuple[str, ...]
    last: datetime
    by: timedelta


class Move(NamedTuple):
    """A run whose clock was wrong: it begins `by` later, and its slots are later in steps of their periods."""

    run: Run
    by: timedelta
    shifts: Sequence[Shift]


_APPENDS: Mapping[Kind | None, Callable[..., object]] = {
    TICKS: ticks.append,
    OPTIONS: chains.append,
    FUTURES: trades.append_observed,
}


class Storing:
    """Stores records, and lets alerts judge them in the same transaction.

    Args:
        database: receives the records.
        clock: the recorder's clock.
        alerts: judges what is stored.
        exchange: returns which exchange the replies are of; None until the first reply.
        feeds: the feeds by name; each has the function that appends its observations.
        recorder: the name that runs, misses and vitals get.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        alerts: Alerts | None,
        exchange: Callable[[], Exchange | None],
        feeds: Mapping[str, Feed],
        recorder: str,
    ) -> None:
        self._database, self._clock, self._alerts = database, clock, alerts
        self._exchange, self._feeds, self._recorder = exchange, feeds, recorder
        self._admitted: Exchange | None = None

    def forget_file(self) -> None:
        """Check the exchange of the file again with the next write: another file took its place."""
        self._admitted = None

    def store(
        self, records: Sequence[Queued], moves: Sequence[Move], wait_s: float, stored: Callable[[], None]
    ) -> None:
        """Store records, and call `stored` once they are durable.

        Raises:
            ForeignExchangeError: the file has prices of another exchange.
            RefusedRecordError: the database refuses one of the records.
            StoreError: the file can't be written.
        """
        try:
            self._store(records, moves, wait_s, stored, self._judging(records, wait_s))
        except UnjudgedError:
            self._store(records, moves, wait_s, stored, nobody())

    def _store(
        self,
        records: Sequence[Queued],
        moves: Sequence[Move],
        wait_s: float,
        stored: Callable[[], None],
        judging: Judging,
    ) -> None:
        exchange = self._exchange()
        has_prices = any(isinstance(each, tuple) for each in records)
        with judging as judge:
            with self._database.write(wait_s) as cursor:
                if exchange is not self._admitted:
                    refuse_another(cursor, exchange)
                    if has_prices:  # only prices decide which exchange the file is of
                        admit(cursor, exchange, self._clock())
                for move in moves:
                    runs.move(cursor, move.run, move.by)
                    for shift in move.shifts:
                        runs.move_misses(cursor, shift.feeds, move.run.started_at, shift.last, shift.by)
                self._append(cursor, records)
                judge(cursor)
            stored()
        self._admitted = exchange if has_prices else self._admitted

    def _append(self, cursor: Cursor, records: Sequence[Queued]) -> None:
        with refusals_told():
            for run in (each for each in records if isinstance(each, Run)):
                runs.note(cursor, replace(run, recorder=self._recorder))
            for append, observations in self._by_append(records).items():
                append(cursor, observations)
            runs.append_misses(cursor, [each for each in records if isinstance(each, Miss)], self._recorder)
            vitals.append(cursor, [each for each in records if isinstance(each, Vitals)], self._recorder)

    def _by_append(self, records: Sequence[Queued]) -> Mapping[Callable[..., object], list[Observation]]:
        """Observations by the function that appends them.

        The file that a stop leaves may have some of a feed that is not configured any more.
        """
        found: defaultdict[Callable[..., object], list[Observation]] = defaultdict(list)
        for _, observation in (each for each in records if isinstance(each, tuple)):
            feed = self._feeds.get(observation.feed)
            append = feed.append if feed else _APPENDS.get(kind_of(observation.feed), arrivals.append)
            found[append].append(observation)
        return found

    def _judging(self, records: Sequence[Queued], wait_s: float) -> Judging:
        """A context for one write; its function lets alerts judge the records in the same transaction."""
        observed = [each for each in records if isinstance(each, tuple)]
        misses = [each for each in records if isinstance(each, Miss)]
        if self._alerts is None or not (observed or misses):
            return nobody()
        return self._alerts.judging(observed, misses, wait_s)
