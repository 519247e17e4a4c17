"""Judging: each tick and slot against each condition, in memory, and the events that result."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from store.alerts.rules.condition import Condition, Reading, Way
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.record_kinds import GapClosed
from store.alerts.rules.rules import Rule
from store.alerts.rules.tape import Tape
from store.models import Exchange, Gap, Tick
from store.words import pair

from .events import Event, Kind, Standing

Standings = Mapping[tuple[str, str, str], Standing]
"""The last state of each condition, by rule, condition and index."""

_NO_NUMBERS = (math.nan, math.nan, math.nan)


class Watch:
    """One condition of a rule on one index: its state, and when that changes.

    Args:
        rule: the rule of the condition.
        way: the direction that the condition looks in.
        index_name: of which index.
        standing: its last state; None before its first event.
    """

    def __init__(self, rule: Condition, way: Way, index_name: str, standing: Standing | None = None) -> None:
        self.rule, self.way, self.index_name = rule, way, index_name
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
        index_name: str,
        event: Kind,
        at: datetime,
        now: datetime,
        said: str,
        numbers: tuple[float, float, float] = _NO_NUMBERS,
        *,
        sends: bool = True,
    ) -> Event:
        """An event of a rule for one index, or for all without a name; `numbers` are price, value and threshold."""
        text = f"{pair(index_name)} {said}" if index_name else said
        return Event(
            rule.name,
            condition,
            index_name,
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
        return self.event(rule, watch.condition, watch.index_name, event, at, now, said, numbers, sends=sends)


class Judge:
    """Judges ticks and slots in their order.

    Args:
        rules: of the file.
        tapes: of the recorded indexes, by name.
        standings: the last states of the conditions.
        maker: makes the events.
    """

    def __init__(
        self, rules: Sequence[AnyRule], tapes: Mapping[str, Tape], standings: Standings, maker: EventMaker
    ) -> None:
        self.tapes = tapes
        self.watches = [
            Watch(rule, way, name, standings.get((rule.name, rule.words(way), name)))
            for rule in rules
            if isinstance(rule, Condition)
            for name in rule.indexes or tapes
            for way in rule.ways
        ]
        self.gap_rules = [rule for rule in rules if isinstance(rule, GapClosed)]
        self.by_tick, self.by_slot = self._watches_by_index(by_tick=True), self._watches_by_index(by_tick=False)
        self.maker = maker

    def heard(self, slot: datetime, tick: Tick, now: datetime) -> Iterator[Event]:
        """The events that the tick of a slot causes. A tick that is not newer than the last one is not judged."""
        tape = self.tapes[tick.index_name]
        if tick.ts > tape.ts:
            tape.hear(tick.ts, tick.price)
            yield from self._changes(self.by_tick[tick.index_name], tape, tick.ts, now)
        yield from self._served(slot, tick.index_name, now, heard=True)

    def missed(self, slot: datetime, index_name: str, now: datetime) -> Iterator[Event]:
        """The events that a slot without a tick causes."""
        yield from self._served(slot, index_name, now, heard=False)

    def closed(self, gap: Gap, at: datetime, now: datetime) -> Iterator[Event]:
        """The events that a healed or unfillable gap causes, at a time."""
        for rule in self.gap_rules:
            if rule.concerns(gap):
                yield self.maker.event(rule, rule.words(), gap.feed, "fired", at, now, rule.event_text(gap))

    def _watches_by_index(self, *, by_tick: bool) -> dict[str, list[Watch]]:
        these = [watch for watch in self.watches if watch.rule.by_tick == by_tick]
        return {name: [watch for watch in these if watch.index_name == name] for name in self.tapes}

    def _served(self, slot: datetime, index_name: str, now: datetime, *, heard: bool) -> Iterator[Event]:
        tape = self.tapes[index_name]
        if slot > tape.slot:
            tape.serve(slot, heard=heard)
            yield from self._changes(self.by_slot[index_name], tape, slot, now)

    def _changes(self, watches: Sequence[Watch], tape: Tape, at: datetime, now: datetime) -> Iterator[Event]:
        for watch in watches:
            was = watch.event
            change = watch.look(tape, at)
            if change is not None:
                event, reading = change
                yield self.maker.change(watch, tape, event, reading, at, now, was_on=was == "fired")
