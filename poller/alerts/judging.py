"""Judges the rules of ALERTS_FILE inside the recorder, on all that comes, in the transaction that stores it.

So an event is as durable as its tick, and is stored before anybody gets a message.
"""

import contextlib
import logging
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from pydantic import SecretStr

from poller.timing.guard import guarded
from settings import PREFIX, ROOT, Settings, SettingsError, TickwellError
from store.alerts import events
from store.alerts.events import Event
from store.alerts.healings import Healings
from store.alerts.in_force import put_in_force
from store.alerts.judge import EventMaker, Judge
from store.alerts.recall import recall
from store.alerts.rules.bounded import OfMarket
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.rule_file import load_rules
from store.alerts.rules.rules import named
from store.alerts.series import MICROSECOND, values
from store.errors import BusyError, NoDatabaseError, OlderSchemaError, StoreError, UnreadableError
from store.file.database import Cursor, Database
from store.file.exchange import exchange_of
from store.health.sharing import sharing
from store.instants import FOR_EVER
from store.models import CLOCKS_AGREE, Miss, Snapshot, Tick, utc_now
from store.prices.candles import floor

from .notify import check

log = logging.getLogger("tickwell.alerts")

EXAMPLE = ROOT / "alerts.example.toml"
"""The rules of a demo without a file of its own."""


class UnjudgedError(TickwellError):
    """The rules could not be judged; the log says why. What came is then written without them."""


Observed = Tick | Snapshot
Judging = AbstractContextManager[Callable[[Cursor], None]]
"""A context for one write; its function judges what is written, in the same transaction."""

Look = Callable[[Cursor, Judge], Iterator[Event]]
FileState = tuple[int, int, int] | None


class Alerts:
    """The rules of ALERTS_FILE and where they stand.

    Slots and logs are written by threads of their own, and judged one after the other.

    Args:
        settings: name the file and the addresses.
        database: the one that is written into.
        feeds: the recorded feeds, each with the seconds between two of its slots or entries.
        clock: of the recorder.
        wake: called after events were noted.

    Raises:
        SettingsError: the file can't be used, a line for each mistake; or apprise doesn't know an address.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        feeds: Mapping[str, int],
        *,
        clock: Callable[[], datetime] = utc_now,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        check_addresses(settings)
        self._settings, self._database, self._clock, self._wake = settings, database, clock, wake
        self._feeds = feeds
        self._file_state = _file_state(file_of(settings))
        self._rules = read_rules(settings, feeds)
        self._fault = ""
        self._rules_noted = False
        self._judge: Judge | None = None
        self._judged_to: dict[str, datetime] = {}
        self._healings: Healings | None = None
        self._one_at_a_time = threading.Lock()

    @property
    def addresses(self) -> Mapping[str, SecretStr]:
        """The address of each target, by name."""
        return addresses(self._settings, self._rules)

    @contextlib.contextmanager
    def judging(
        self, observed: Sequence[tuple[datetime, Observed]], misses: Sequence[Miss], wait_s: float
    ) -> Iterator[Callable[[Cursor], None]]:
        """Lend a function that judges outcomes of slots. Call it in the transaction that stores them.

        Outcomes of feeds that are not recorded are left out.

        Raises:
            BusyError, NoDatabaseError, OlderSchemaError, UnreadableError: the database can't be read, so it
                can't be written either.
            UnjudgedError: the rules could not be judged; the transaction can't be used any more.
        """
        outcomes = [each for each in _by_slot(observed, misses) if each[1].feed in self._feeds]
        if not outcomes:
            yield lambda _: None
            return
        with self._alone(wait_s):
            if any(slot < self._judged_to.get(each.feed, slot) for slot, each in outcomes):  # the clock went back
                self._forget()
            with self._judged(outcomes[0][0], wait_s, partial(self._of_slots, outcomes=outcomes)) as judge:
                yield judge
            self._judged_to |= {each.feed: slot for slot, each in outcomes}

    @contextlib.contextmanager
    def judging_entries(self, feed: str, wait_s: float) -> Iterator[Callable[[Cursor], None]]:
        """Lend a function that judges the new entries of a log, likewise.

        Raises:
            StoreError, UnjudgedError: as `judging` does.
        """
        if not any(feed in rule.watched(self._feeds) for rule in self._rules if isinstance(rule, OfMarket)):
            yield lambda _: None
            return
        with self._alone(wait_s):
            slot = floor(self._clock(), timedelta(seconds=min(self._feeds.values())))
            with self._judged(slot, wait_s, partial(self._of_entries, feed=feed)) as judge:
                yield judge

    @contextlib.contextmanager
    def _alone(self, wait_s: float) -> Iterator[None]:
        if not self._one_at_a_time.acquire(timeout=wait_s):
            raise BusyError(f"the rules of alerts were judged for {wait_s:g} s by another thread")
        try:
            yield
        finally:
            self._one_at_a_time.release()

    @contextlib.contextmanager
    def _judged(self, slot: datetime, wait_s: float, look: Look) -> Iterator[Callable[[Cursor], None]]:
        """Lend a function that notes the events which `look` finds; tell of them once they are durable."""
        found: list[Event] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._forget)
            judge = self._ready(slot, wait_s)
            yield lambda cursor: found.extend(self._noted(cursor, judge, look))
            undo.pop_all()
        for event in found:
            log.info("%s: %s", event.rule, event.text)
        if found:
            self._wake()

    def _noted(self, cursor: Cursor, judge: Judge, look: Look) -> list[Event]:
        """Note the changes, and the rules if they changed."""
        found: list[Event] = []
        self._judge = None
        with guarded("alerts"):
            if judge.maker.exchange is None:  # unknown until the file has its first tick
                judge.maker = replace(judge.maker, exchange=exchange_of(cursor))
            now = self._clock()
            if self._healings is None or not self._rules_noted:
                judge.since = put_in_force(cursor, self._rules, self._fault, now)
                self._healings = self._healings or Healings(cursor, judge, judge.since)
            found += look(cursor, judge) if self._rules else ()
            found += self._healings.events(cursor, judge, now)
            events.append(cursor, found)
            self._judge, self._rules_noted = judge, True
        if self._judge is None:
            raise UnjudgedError("the rules of alerts could not be judged")
        return found

    def _of_slots(
        self, cursor: Cursor, judge: Judge, *, outcomes: Sequence[tuple[datetime, Observed | Miss]]
    ) -> Iterator[Event]:
        now = self._clock()
        for slot, outcome in outcomes:
            if isinstance(outcome, Miss):
                yield from judge.missed(slot, outcome.feed, now)
            else:
                yield from judge.heard(slot, outcome, now)
        for feed in {outcome.feed: None for _, outcome in outcomes if isinstance(outcome, Snapshot)}:
            yield from _of_values(cursor, judge, feed, FOR_EVER, now)
        if judge.of_lake and (shared := sharing(self._settings, now)) is not None:
            yield from judge.shared(shared.shared_to, now)

    def _of_entries(self, cursor: Cursor, judge: Judge, *, feed: str) -> Iterator[Event]:
        now = self._clock()
        yield from _of_values(cursor, judge, feed, now + CLOCKS_AGREE, now)

    def _ready(self, slot: datetime, wait_s: float) -> Judge:
        """The judge with the rules as they are now."""
        judge: Judge | None = None
        of_the_file: StoreError | None = None
        with guarded("alerts"):
            try:
                self._reload_if_changed()
                judge = self._judge or self._recalled(slot, wait_s)
            except (BusyError, NoDatabaseError, OlderSchemaError, UnreadableError) as error:
                of_the_file = error
        if of_the_file is not None:
            raise of_the_file
        if judge is None:
            raise UnjudgedError("the rules of alerts could not be made ready")
        return judge

    def _recalled(self, slot: datetime, wait_s: float) -> Judge:
        if not self._rules:
            return Judge((), {}, {}, EventMaker({}))
        common = tuple(named(self._settings.notify_urls))
        targets = {
            rule.name: common if rule.notify is None else tuple(named(rule.notify, rule.name)) for rule in self._rules
        }
        with self._database.read(wait_s) as cursor:
            return recall(cursor, self._rules, self._feeds, slot, targets)

    def _forget(self) -> None:
        """Drop a judge whose result was not stored: the next one begins from what is stored."""
        self._judge = self._healings = None

    def _reload_if_changed(self) -> None:
        path = file_of(self._settings)
        state = _file_state(path)
        if state == self._file_state:
            return
        self._file_state, self._rules_noted = state, False
        try:
            self._rules = _rules_of(path, self._feeds, self._settings)
        except SettingsError as error:
            self._fault = str(error)
            log.warning("the rules of before stay in force: %s", self._fault)
        else:
            self._judge, self._fault = None, ""
            log.info("rules of %s: %d", path.name, len(self._rules))


def nobody() -> Judging:
    """A context whose function judges nothing."""
    return contextlib.nullcontext(lambda _: None)


def file_of(settings: Settings) -> Path:
    """The file of rules; for a demo without one, the file of examples."""
    path = settings.alerts_file
    return EXAMPLE if settings.demo and not path.exists() and not _asked_for(settings) else path


def read_rules(settings: Settings, recorded: Collection[str]) -> list[AnyRule]:
    """The rules at the start; none where the file is missing and no setting names it.

    Args:
        settings: name the file.
        recorded: the names of the recorded feeds.

    Raises:
        SettingsError: the file can't be used; a line for each mistake.
    """
    path = file_of(settings)
    return _rules_of(path, recorded, settings) if path.exists() or _asked_for(settings) else []


def check_addresses(settings: Settings) -> None:
    """Check that apprise knows each address of NOTIFY_URLS.

    Raises:
        SettingsError: it doesn't know one.
    """
    check(settings.notify_urls, f"{PREFIX}NOTIFY_URLS")


def addresses(settings: Settings, rules: Sequence[AnyRule]) -> dict[str, SecretStr]:
    """The address of each target, by name: those of NOTIFY_URLS, and those of single rules."""
    found = named(settings.notify_urls)
    for rule in rules:
        found |= named(rule.notify or (), rule.name)
    return found


def _rules_of(path: Path, recorded: Collection[str], settings: Settings) -> list[AnyRule]:
    """As `load_rules`, with addresses that apprise knows. A demo uses those examples that fit what it records."""
    rules = load_rules(path, recorded, shared=settings.lake is not None, leave_out=path == EXAMPLE)
    for rule in rules:
        check(rule.notify or (), f"{path.name}, rule {rule.name}: notify")
    return rules


def _asked_for(settings: Settings) -> bool:
    return "alerts_file" in settings.model_fields_set


def _file_state(path: Path) -> FileState:
    """A value that changes when the file changes; None without the file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def _of_values(cursor: Cursor, judge: Judge, feed: str, end: datetime, now: datetime) -> Iterator[Event]:
    """The events of the values that a feed brought and that the judge does not know yet."""
    for series in judge.series_of(feed):
        start = judge.taken_to[series] + MICROSECOND
        yield from judge.valued(series, values(cursor, series, start, end), now)


def _by_slot(
    observed: Sequence[tuple[datetime, Observed]], misses: Sequence[Miss]
) -> list[tuple[datetime, Observed | Miss]]:
    outcomes: list[tuple[datetime, Observed | Miss]] = [*observed, *((miss.slot, miss) for miss in misses)]
    return sorted(outcomes, key=lambda outcome: outcome[0])
