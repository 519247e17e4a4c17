"""Judges the rules of ALERTS_FILE inside the recorder, on each tick and miss, in the transaction that stores them.

So an event is as durable as its tick, and is stored before anybody gets a message.
"""

import contextlib
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
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
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.rule_file import load_rules
from store.alerts.rules.rules import named
from store.errors import BusyError, NoDatabaseError, OlderSchemaError, StoreError, UnreadableError
from store.file.database import Cursor, Database
from store.file.exchange import exchange_of
from store.models import Miss, Tick, utc_now

from .notify import check

log = logging.getLogger("tickwell.alerts")

EXAMPLE = ROOT / "alerts.example.toml"
"""The rules of a demo without a file of its own."""


class UnjudgedError(TickwellError):
    """The rules could not be judged; the log says why. The journal then writes its ticks and misses without them."""


FileState = tuple[int, int, int] | None


class Alerts:
    """The rules of ALERTS_FILE and where they stand.

    Args:
        settings: name the file and the addresses.
        database: the one that the journal writes into.
        clock: of the recorder.
        wake: called after events were noted.

    Raises:
        SettingsError: the file can't be used, a line for each mistake; or apprise doesn't know an address.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        *,
        clock: Callable[[], datetime] = utc_now,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        check_addresses(settings)
        self._settings, self._database, self._clock, self._wake = settings, database, clock, wake
        self._file_state = _file_state(file_of(settings))
        self._rules = read_rules(settings)
        self._fault = ""
        self._noted = False
        self._judge: Judge | None = None
        self._judged_to: datetime | None = None
        self._healings: Healings | None = None

    @property
    def addresses(self) -> Mapping[str, SecretStr]:
        """The address of each target, by name."""
        return addresses(self._settings, self._rules)

    @contextlib.contextmanager
    def judging(
        self, ticks: Sequence[tuple[datetime, Tick]], misses: Sequence[Miss], wait_s: float
    ) -> Iterator[Callable[[Cursor], None]]:
        """Lend a function that judges ticks and misses of slots. Call it inside the transaction that stores them.

        Rules watch recorded indexes, so outcomes of other feeds are left out.

        Raises:
            BusyError, NoDatabaseError, OlderSchemaError, UnreadableError: the database can't be read, so it
                can't be written either.
            UnjudgedError: the rules could not be judged; the transaction can't be used any more.
        """
        outcomes = [each for each in _by_slot(ticks, misses) if each[1].feed in self._settings.indexes]
        if not outcomes:
            yield lambda _: None
            return
        if self._judged_to is not None and outcomes[0][0] < self._judged_to:  # the clock went back
            self._forget()
        found: list[Event] = []
        with contextlib.ExitStack() as undo:
            undo.callback(self._forget)
            judge = self._ready(outcomes[0][0], wait_s)
            yield lambda cursor: found.extend(self._look(cursor, judge, outcomes))
            undo.pop_all()
        self._judged_to = outcomes[-1][0]
        for event in found:
            log.info("%s: %s", event.rule, event.text)
        if found:
            self._wake()

    def _look(self, cursor: Cursor, judge: Judge, outcomes: Sequence[tuple[datetime, Tick | Miss]]) -> list[Event]:
        """Note the changes, and the rules if they changed."""
        found: list[Event] = []
        self._judge = None
        with guarded("alerts"):
            if judge.maker.exchange is None:  # the first tick of a file decides
                judge.maker = replace(judge.maker, exchange=exchange_of(cursor))
            found += self._judged(cursor, judge, outcomes)
            events.append(cursor, found)
            self._judge, self._noted = judge, True
        if self._judge is None:
            raise UnjudgedError("the rules of alerts could not be judged")
        return found

    def _judged(self, cursor: Cursor, judge: Judge, outcomes: Sequence[tuple[datetime, Tick | Miss]]) -> list[Event]:
        found: list[Event] = []
        now = self._clock()
        if self._healings is None or not self._noted:
            since = put_in_force(cursor, self._rules, self._fault, now)
            self._healings = self._healings or Healings(cursor, judge, since)
        for slot, outcome in outcomes if self._rules else ():
            if isinstance(outcome, Tick):
                found += judge.heard(slot, outcome, now)
            else:
                found += judge.missed(slot, outcome.feed, now)
        return [*found, *self._healings.events(cursor, judge, now)]

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
        indexes, seconds = self._settings.indexes, self._settings.poll_seconds
        common = tuple(named(self._settings.notify_urls))
        targets = {
            rule.name: common if rule.notify is None else tuple(named(rule.notify, rule.name)) for rule in self._rules
        }
        with self._database.read(wait_s) as cursor:
            return recall(cursor, self._rules, indexes, seconds, slot, targets)

    def _forget(self) -> None:
        """Drop a judge whose result was not stored: the next one begins from what is stored."""
        self._judge = self._healings = None

    def _reload_if_changed(self) -> None:
        path = file_of(self._settings)
        state = _file_state(path)
        if state == self._file_state:
            return
        self._file_state, self._noted = state, False
        try:
            self._rules = _rules_of(path, self._settings.indexes)
        except SettingsError as error:
            self._fault = str(error)
            log.warning("the rules of before stay in force: %s", self._fault)
        else:
            self._judge, self._fault = None, ""
            log.info("rules of %s: %d", path.name, len(self._rules))


def file_of(settings: Settings) -> Path:
    """The file of rules; for a demo without one, the file of examples."""
    path = settings.alerts_file
    return EXAMPLE if settings.demo and not path.exists() and not _asked_for(settings) else path


def read_rules(settings: Settings) -> list[AnyRule]:
    """The rules at the start; none where the file is missing and no setting names it.

    Raises:
        SettingsError: the file can't be used; a line for each mistake.
    """
    path = file_of(settings)
    return _rules_of(path, settings.indexes) if path.exists() or _asked_for(settings) else []


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


def _rules_of(path: Path, recorded: Collection[str]) -> list[AnyRule]:
    """As `load_rules`, with addresses that apprise knows."""
    rules = load_rules(path, recorded)
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


def _by_slot(ticks: Sequence[tuple[datetime, Tick]], misses: Sequence[Miss]) -> list[tuple[datetime, Tick | Miss]]:
    outcomes: list[tuple[datetime, Tick | Miss]] = [*ticks, *((miss.slot, miss) for miss in misses)]
    return sorted(outcomes, key=lambda outcome: outcome[0])
