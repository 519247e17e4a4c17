"""Each kind of rule beside a real recorder: prices jump, the exchange fails, and a webhook gets each event once."""

import time
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import log, sqrt
from statistics import fmean

import pytest

from poller.recorder.recorder import Recorder
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from settings import Settings
from store.alerts import events
from store.alerts.events import Event
from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps, runs
from store.models import Run, Tick
from store.prices import ticks
from tests.conftest import wait_until
from tests.poller.conftest import MovedClock
from tests.support.webhook import Webhook

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)

FACTOR = 1.1
"""The factor by which all prices jump."""

RULES = """
[[rule]]
name = "move"
kind = "move"
percent = 5
within = "20s"

[[rule]]
name = "level"
kind = "level"
indexes = ["btc_usd"]
price = {level}

[[rule]]
name = "range_break"
kind = "range_break"
hours = 0.5
direction = "up"

[[rule]]
name = "volatility"
kind = "volatility"
above = 500
over = "10m"

[[rule]]
name = "stale"
kind = "stale"
slots = 3

[[rule]]
name = "coverage"
kind = "coverage"
below = 91.5

[[rule]]
name = "gap"
kind = "gap"
becomes = "healed"
at_least = "1m"
"""
KINDS = ("move", "level", "range_break", "volatility", "stale", "coverage", "gap")


@dataclass
class Story:
    """The outcome: the events, when each message arrived by the recorder's clock, and the record.

    `level` is the price of the level rule; `spike` is the highest price before the recorder began, at `begin`. The
    healed gap was stored at `healed`.
    """

    fired: list[Event]
    heard: dict[str, datetime]
    healed: datetime
    ticks: list[Tick]
    level: float
    spike: Tick
    begin: datetime

    def event(self, rule: str) -> Event:
        (found,) = [event for event in self.fired if event.rule == rule]
        return found

    def tick_of(self, event: Event) -> Tick:
        (found,) = [tick for tick in self.ticks if tick.ts == event.at]
        return found

    def before(self, event: Event, length: timedelta) -> list[Tick]:
        return [tick for tick in self.ticks if event.at - length <= tick.ts < event.at]


def observed(at: datetime) -> Tick:
    return Tick("btc_usd", at, price("btc_usd", at), "simulator", at + SECOND / 50)


def seed(database: Database, now: datetime) -> Tick:
    """Seventy minutes at one second, five of them missing; one price, ten minutes ago, is the highest."""
    database.migrate()
    spike = observed(now - 10 * MINUTE)
    spike = replace(spike, price=spike.price * 1.02)
    with database.write() as cursor:
        for start, end in ((now - 70 * MINUTE, now - 40 * MINUTE), (now - 35 * MINUTE, now)):
            run = Run(start, {"btc_usd": 1}, "0")
            runs.note(cursor, run)
            runs.note(cursor, replace(run, ended_at=end))
            instants = [start + number * SECOND for number in range((end - start) // SECOND)]
            ticks.append(cursor, [spike if at == spike.ts else observed(at) for at in instants])
    return spike


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder = tmp_path_factory.mktemp("alerts")
    clock = MovedClock()
    clock.slot_in(6, 60)  # the minute of the jump ends soon
    database = Database(folder / "ticks.duckdb")
    begin = clock().replace(microsecond=0)
    spike = seed(database, begin)
    level = round(price("btc_usd", clock()) * 1.05, 2)
    rules = folder / "alerts.toml"
    rules.write_text(RULES.format(level=level))
    with Simulator(limits=False, clock=clock) as simulator, Webhook() as webhook:
        settings = Settings(
            database=database.path,
            deribit_url=simulator.url,
            poll_seconds=1,
            indexes=("btc_usd",),
            alerts_file=rules,
            notify_urls=(webhook.address,),
        )
        recorder = Recorder(settings, database, "external", clock=clock)
        recorder.start()
        try:
            healed = happen(simulator, webhook, database, clock)
        finally:
            recorder.stop()
        shift = clock() - time.monotonic() * SECOND
        heard = {title: shift + at * SECOND for title, at in zip(webhook.titles, webhook.times, strict=True)}
        told = [text.removeprefix("Simulated: ") for text in webhook.texts]
    with database.read() as cursor:
        fired = events.fired(cursor, spike.ts, clock(), limit=100)
        live = [
            tick for tick in ticks.history(cursor, "btc_usd", spike.ts - 3 * HOUR, clock()) if not tick.resolution_s
        ]
    assert sorted(told) == sorted(event.text.removeprefix("Simulated: ") for event in fired)
    return Story(fired, heard, healed, live, level, spike, begin)


def happen(simulator: Simulator, webhook: Webhook, database: Database, clock: MovedClock) -> datetime:
    """Let prices jump and stay there, until the gap is healed; then let the exchange fail for some slots.

    Returns:
        When the healed gap was stored.
    """

    def heard(*rules: str) -> bool:
        titles = " ".join(webhook.titles)
        return all(f"Tickwell: {rule}," in titles for rule in rules)

    def newest() -> datetime:
        with database.read() as cursor:
            return ticks.newest_first(cursor, "btc_usd", limit=1)[0].ts

    def states() -> set[str]:
        with database.read() as cursor:
            return {gap.state for gap in gaps.ledger(cursor, EPOCH, clock(), clock())}

    begin = newest()
    wait_until(lambda: newest() > begin + SECOND, timeout_s=20)
    simulator.faults.add(Fault("jump", factor=FACTOR))
    wait_until(lambda: heard("move", "level", "range_break", "volatility"), timeout_s=20, look_again_s=0.1)
    wait_until(lambda: "healed" in states(), timeout_s=120)
    healed = clock()
    wait_until(lambda: heard("gap"), timeout_s=20, look_again_s=0.1)
    simulator.faults.add(Fault("error", method="get_index_price", seconds=12))
    wait_until(lambda: heard("stale", "coverage"), timeout_s=30, look_again_s=0.1)
    wait_until(lambda: not [fault for fault in simulator.faults.listing() if fault.kind == "error"], timeout_s=20)
    back = newest()
    wait_until(lambda: newest() > back + 2 * SECOND, timeout_s=20)
    return healed


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_rule_fires_exactly_once_and_its_message_arrives_within_a_slot_and_a_second(
    story: Story, kind: str
):
    assert [event.rule for event in story.fired].count(kind) == 1
    (heard,) = [at for title, at in story.heard.items() if title.startswith(f"Tickwell: {kind},")]

    at = story.event(kind).at
    stored = story.healed if kind == "gap" else at  # large histories take a while until they are stored

    assert at < heard < stored + 2 * SECOND


def test_a_move_has_the_price_and_its_change(story: Story):
    event = story.event("move")
    lowest = min(tick.price for tick in story.before(event, 20 * SECOND))

    assert event.price == story.tick_of(event).price
    assert event.value == pytest.approx(100 * (event.price / lowest - 1))
    assert event.value == pytest.approx(100 * (FACTOR - 1), abs=0.5)
    assert event.threshold == 5


def test_a_level_has_the_first_price_beyond_it(story: Story):
    event = story.event("level")
    newest_before = story.before(event, 20 * SECOND)[-1]

    assert newest_before.price < story.level <= event.price == event.value == story.tick_of(event).price
    assert event.threshold == story.level


def test_a_broken_range_has_the_high_that_was_broken(story: Story):
    event = story.event("range_break")

    assert event.threshold == story.spike.price == max(tick.price for tick in story.before(event, HOUR / 2))
    assert event.value == event.price == story.tick_of(event).price > event.threshold


def test_volatility_is_that_of_the_closes_of_ten_minutes(story: Story):
    event = story.event("volatility")
    minute = event.at.replace(second=0, microsecond=0)
    closes = {tick.ts.replace(second=0, microsecond=0): tick.price for tick in story.ticks if tick.ts < minute}
    last = [closes[minute - number * MINUTE] for number in range(10, 0, -1)]
    variance = fmean(log(close / before) ** 2 for before, close in pairwise(last))

    assert event.value == pytest.approx(100 * sqrt(variance * 365 * 24 * 60))
    assert event.value > event.threshold == 500
    assert event.at - minute < 2 * SECOND


def test_a_stale_tick_has_as_many_slots_as_the_rule_allows(story: Story):
    event = story.event("stale")
    newest = story.before(event, HOUR)[-1]

    assert event.value == event.threshold == 3
    assert event.at - newest.ts.replace(microsecond=0) == 3 * SECOND
    assert event.price == newest.price


def test_coverage_is_the_share_of_the_seconds_of_an_hour_that_have_a_tick(story: Story):
    event = story.event("coverage")
    end = event.at + SECOND
    seconds = {tick.ts.replace(microsecond=0) for tick in story.ticks if end - HOUR <= tick.ts < end}

    assert event.value == pytest.approx(100 * len(seconds) / 3600)
    assert event.value < event.threshold == 91.5
    assert event.value + 100 / 3600 >= event.threshold


def test_the_event_of_a_healed_gap_has_its_times(story: Story):
    event = story.event("gap")

    start, end = (f"{story.begin - number * MINUTE:%Y-%m-%d %H:%M:%S}" for number in (40, 35))

    assert event.text == f"Simulated: BTC / USD gap from {start} to {end} UTC healed by simulator, 6 s"
