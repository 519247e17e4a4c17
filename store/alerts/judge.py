"""Judging: each tick, slot and value against each condition, in memory, and the events that result."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from store.alerts.rules.bounded import OfMarket, Series
from store.alerts.rules.condition import Condition, Reading, Way
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.record_kinds import NO_FEED, GapClosed
from store.alerts.rules.rules import Rule
from store.alerts.rules.tape import Tape
from store.instants import EVER
from store.models import Exchange, Gap, Snapshot, Tick

from .events import Event, Kind, Standing

Standings = Mapping[tuple[str, str, str], Standing]
"""The last state of each condition, by rule, condition and feed."""

_NO_NUMBERS = (math.nan, math.nan, math.nan)


class Watch:
    """One condition of a rule on one feed: its state, and when that changes.

    Args:
        rule: the rule of the condition.
        way: the direction that the condition looks in.
        feed: of which index, or of which feed of a market.
        standing: its last state; None before its first event.
    """

    def __init__(self, rule: Condition, way: Way, feed: str, standing: Standing | None = None) -> None:
        self.rule, self.way, self.feed = rule, way, feed
        self.series = rule.series(feed) if isinstance(rule, OfMarket) else None
        self.condition = rule.words(way)
        self.reading: Reading | None = None
        self.fired_at = standing.fired_at if standing else None
        self.event: Kind | None = standing.event if standing else "over" if rule.from_outset else None

    def look(self, tape: Tape, at: datetime) -> tuple[Kind, Reading] | None:
        """The change at a time, or None. It fires when the condition holds, was over before and has cooled down."""
        self.reading = reading = self.rule.read(tape, self.way)
        return None if reading is None else self.turn(reading, at)

    def turn(self, reading: Reading, at: datetime) -> tuple[Kind, Reading] | None:
        """The change at a time for a reading that was taken before."""
        if self.event == "over":
            if not reading.holds or not self.cooled_down(at):
                return None
            self.become("fired", at)
            return "fired", reading
        if not reading.over:
            return None
        self.become("over", at)
        return "over", reading

    def become(self, event: Kind, at: datetime) -> None:
        """Note that the condition began to hold, or is over, at a time."""
        self.event = event
        if event == "fired":
            self.fired_at = at

    def cooled_down(self, at: datetime) -> bool:
        return self.fired_at is None or at >= self.fired_at + self.rule.cool_down


_MARKS: dict[Exchange | None, str] = {Exchange.SIMULATOR: "Simulated: ", Exchange.TEST: "Test environment: "}


@dataclass(frozen=True)
class EventMaker:
    """Makes events: it adds their targets, and marks prices that are not real.

    Attributes:
        targets: the names of the targets of a rule's events, by the name of the rule; a rule that is absent has none.
        exchange: whose prices they are; each message says so unless they are of the real exchange.
    """

    targets: Mapping[str, tuple[str, ...]]
    exchange: Exchange | None = None

    def event(
        self,
        rule: Rule,
        condition: str,
        feed: str,
        event: Kind,
        at: datetime,
        now: datetime,
        said: str,
        numbers: tuple[float, float, float] = _NO_NUMBERS,
        *,
        sends: bool = True,
    ) -> Event:
        """An event of a rule for one feed, or for all without a name; `numbers` are price, value and threshold."""
        text = f"{rule.about(feed)} {said}" if feed else said
        return Event(
            rule.name,
            condition,
            feed,
            event,
            rule.severity,
            at,
            *numbers,
            f"{_MARKS.get(self.exchange, '')}{text}",
            self.targets.get(rule.name, ()) if sends else (),
            rule.send_after(at),
            now,
        )

    def change(
        self, watch: Watch, tape: Tape, event: Kind, reading: Reading, at: datetime, now: datetime, *, was_on: bool
    ) -> Event:
        """The event that a condition begins to hold or is over. Then `was_on` says whether it was noted as holding."""
        rule, numbers = watch.rule, (tape.price, reading.value, reading.threshold)
        if event == "fired":
            said, sends = rule.event_text(tape, watch.way, reading), True
        else:
            became = "over" if was_on else "ready"
            said, sends = f"{watch.condition}: {became}, {rule.progress(reading)}", rule.recovery and was_on
        return self.event(rule, watch.condition, watch.feed, event, at, now, said, numbers, sends=sends)


class Judge:
    """Judges ticks, slots and values of a market in their order.

    Args:
        rules: of the file.
        tapes: of the recorded feeds, by name.
        standings: the last states of the conditions.
        maker: makes the events.

    Attributes:
        lake: how far the record is shared.
        of_lake: the conditions of that.
        series: a tape for each number of a market that a rule watches.
        taken_to: the time of the newest stored row of each of these numbers that the judge knows of.
        since: earlier entries of logs cause no events: the rules were not in force then.
    """

    def __init__(
        self, rules: Sequence[AnyRule], tapes: Mapping[str, Tape], standings: Standings, maker: EventMaker
    ) -> None:
        self.tapes = tapes
        self.watches = [
            Watch(rule, way, name, standings.get((rule.name, rule.words(way), name)))
            for rule in rules
            if isinstance(rule, Condition)
            for name in rule.watched(tapes)
            for way in rule.ways
        ]
        self.gap_rules = [rule for rule in rules if isinstance(rule, GapClosed)]
        self.by_tick, self.by_slot = self._watches_by_feed(by_tick=True), self._watches_by_feed(by_tick=False)
        self.by_series: dict[Series, list[Watch]] = {}
        for watch in self.watches:
            if watch.series is not None:
                self.by_series.setdefault(watch.series, []).append(watch)
        self.lake = Tape(0, timedelta(0))
        self.of_lake = [watch for watch in self.watches if watch.feed == NO_FEED]
        self.series = {each: Tape(0, _looks_back(its)) for each, its in self.by_series.items()}
        self.taken_to = dict.fromkeys(self.series, EVER)
        self.since = EVER
        self.maker = maker

    def heard(self, slot: datetime, observed: Tick | Snapshot, now: datetime) -> Iterator[Event]:
        """The events that the tick or the snapshot of a slot causes, but for those of its values.

        A tick or a snapshot that is not newer than the last one is not judged.
        """
        tape = self.tapes[observed.feed]
        if observed.ts > tape.ts:
            if isinstance(observed, Tick):
                tape.hear(observed.ts, observed.price)
            else:
                tape.ts = observed.ts
            yield from self._changes(self.by_tick[observed.feed], tape, observed.ts, now)
        yield from self._served(slot, observed.feed, now, heard=True)

    def missed(self, slot: datetime, feed: str, now: datetime) -> Iterator[Event]:
        """The events that a slot without a tick or a snapshot causes."""
        yield from self._served(slot, feed, now, heard=False)

    def valued(self, series: Series, values: Iterable[tuple[datetime, float]], now: datetime) -> Iterator[Event]:
        """The events that the new values of a number cause. They ascend, and are later than all before."""
        tape = self.series[series]
        for at, value in values:
            tape.take(at, value)
            self.taken_to[series] = at
            if at >= self.since:
                yield from self._changes(self.by_series[series], tape, at, now)

    def shared(self, to: datetime | None, now: datetime) -> Iterator[Event]:
        """The events of a lake that has the record up to a time; None while it has nothing."""
        self.lake.share(to, now)
        yield from self._changes(self.of_lake, self.lake, now, now)

    def series_of(self, feed: str) -> list[Series]:
        """The numbers that a feed brings and that a rule watches."""
        return [each for each in self.series if each.feed == feed]

    def closed(self, gap: Gap, at: datetime, now: datetime) -> Iterator[Event]:
        """The events that a healed or unfillable gap causes, at a time."""
        for rule in self.gap_rules:
            if rule.concerns(gap):
                yield self.maker.event(rule, rule.words(), gap.feed, "fired", at, now, rule.event_text(gap))

    def tape(self, watch: Watch) -> Tape:
        """What a condition is read from."""
        if watch.series is not None:
            return self.series[watch.series]
        return self.lake if watch.feed == NO_FEED else self.tapes[watch.feed]

    def _watches_by_feed(self, *, by_tick: bool) -> dict[str, list[Watch]]:
        these = [watch for watch in self.watches if watch.series is None and watch.rule.by_tick == by_tick]
        return {name: [watch for watch in these if watch.feed == name] for name in self.tapes}

    def _served(self, slot: datetime, feed: str, now: datetime, *, heard: bool) -> Iterator[Event]:
        tape = self.tapes[feed]
        if slot > tape.slot:
            tape.serve(slot, heard=heard)
            yield from self._changes(self.by_slot[feed], tape, slot, now)

    def _changes(self, watches: Sequence[Watch], tape: Tape, at: datetime, now: datetime) -> Iterator[Event]:
        for watch in watches:
            was = watch.event
            change = watch.look(tape, at)
            if change is not None:
                event, reading = change
                yield self.maker.change(watch, tape, event, reading, at, now, was_on=was == "fired")


def _looks_back(watches: Iterable[Watch]) -> timedelta:
    return max(watch.rule.looks_back for watch in watches)
