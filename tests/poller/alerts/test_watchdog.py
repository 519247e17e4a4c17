"""One message says that the recorder is gone, and one that it is back, also across restarts."""

import atexit
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from poller.alerts.watchdog import Limits, Watchdog, start_watchdog
from settings import Settings, SettingsError
from store.alerts import events
from store.file.database import Database
from store.file.locks import FileLock, beside
from store.file.recorder import Notice, RecorderLock
from store.prices import ticks
from tests.conftest import START, tick, wait_until
from tests.poller.conftest import Clock
from tests.support.events import alert, note, texts_sent
from tests.support.webhook import Webhook

GONE = "The recorder, PID 4711, is gone without a word since 2026-11-01 12:00:09 UTC"
BACK = "The recorder is back, PID 4711, since 2026-11-01 12:00:00 UTC"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def clock() -> Clock:
    return Clock(START + timedelta(minutes=1))


@pytest.fixture
def settings(make_settings: Callable[..., Settings], webhook: Webhook) -> Settings:
    return make_settings(poller="external", notify_urls=(webhook.address,), poll_seconds=5)


@pytest.fixture
def watch(settings: Settings, database: Database, clock: Clock) -> Iterator[Callable[..., Watchdog]]:
    """Make watchdogs that look only when the test calls them; their threads end with the test."""
    made = []

    def make(hand_over_s: float = 5) -> Watchdog:
        made.append(Watchdog(settings, database, clock=clock, limits=Limits(hand_over_s=hand_over_s)))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def recorder(database: Database) -> Iterator[RecorderLock]:
    """A running recorder that recorded nine seconds."""
    with database.write() as cursor:
        ticks.append(cursor, [tick(9)])
    lock = RecorderLock(database.path)
    lock.acquire(notice())
    yield lock
    lock.release()


def notice(**more: Any) -> Notice:
    facts: dict[str, Any] = {"mode": "external", "state": "recording", "state_since": START, **more}
    return Notice(pid=4711, since=START, poll_seconds=5, indexes=("btc_usd", "eth_usd"), version="1", **facts)


def look_for(watchdog: Watchdog, clock: Clock, seconds: float) -> None:
    """Look, and again so many seconds later."""
    watchdog.look()
    clock.move(seconds)
    watchdog.look()


def test_one_message_says_that_the_recorder_is_gone_and_one_that_it_is_back(watch, recorder, clock, database, webhook):
    watchdog = watch()
    watchdog.look()

    recorder.release()
    look_for(watchdog, clock, 31)
    look_for(watchdog, clock, 31)
    wait_until(lambda: texts_sent(database) == [GONE])
    recorder.acquire(notice())
    look_for(watchdog, clock, 31)
    wait_until(lambda: texts_sent(database) == [GONE, BACK])
    recorder.release()
    look_for(watchdog, clock, 31)

    wait_until(lambda: texts_sent(database) == [GONE, BACK, GONE])
    assert webhook.texts == [GONE, BACK, GONE]
    assert webhook.titles[:2] == ["Tickwell: Recorder, critical", "Tickwell: Recorder, over"]


def test_a_recorder_that_is_restarted_at_once_does_not_count_as_gone(watch, recorder, clock, database):
    watchdog = watch()
    for _ in range(3):
        recorder.release()
        look_for(watchdog, clock, 30)
        recorder.acquire(notice())
        look_for(watchdog, clock, 30)

    assert noted(database) == []


def noted(database: Database) -> list[str]:
    """The texts of all events, the newest first."""
    with database.read() as cursor:
        return [told.event.text for told in events.newest(cursor, limit=10)]


def test_a_restarted_dashboard_repeats_no_message(watch, recorder, clock, database):
    recorder.release()
    look_for(watch(), clock, 31)
    look_for(watch(), clock, 31)
    recorder.acquire(notice())
    look_for(watch(), clock, 31)
    look_for(watch(), clock, 31)

    assert noted(database) == [BACK, GONE]


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("stopped", "The recorder, PID 4711, was stopped at 2026-11-01 12:00:30 UTC"),
        ("refused", "The recorder, PID 4711, ended at 2026-11-01 12:00:30 UTC: no such index"),
    ],
)
def test_the_message_has_the_reason_that_the_recorder_gave(watch, recorder, clock, database, state, words):
    recorder.publish(notice(state=state, state_since=START + timedelta(seconds=30), detail="no such index"))
    recorder.release()

    look_for(watch(), clock, 31)

    assert noted(database) == [words]


def test_a_recorder_that_never_started_does_not_count_as_gone(watch, clock, database):
    look_for(watch(), clock, 31)

    assert noted(database) == []


def test_a_recorder_for_a_single_poll_does_not_count_as_gone(watch, recorder, clock, database):
    recorder.publish(notice(mode="once"))
    recorder.release()

    look_for(watch(), clock, 31)

    assert noted(database) == []


def test_the_watchdog_sends_what_the_recorder_left_until_the_recorder_is_back(
    watch, recorder, clock, database, webhook
):
    note(database, alert("left behind", send_after=START, noted_at=START))
    watchdog = watch()
    watchdog.look()
    assert webhook.texts == []

    recorder.release()
    look_for(watchdog, clock, 31)
    wait_until(lambda: sorted(texts_sent(database)) == [GONE, "left behind"])
    others = FileLock(beside(database.path, "alerts"))
    assert not others.try_acquire()
    recorder.acquire(notice())
    wait_until(lambda: watchdog.look() or others.try_acquire())

    others.release()
    assert webhook.texts[-1] == BACK


def test_an_event_that_can_not_be_sent_is_left_to_the_recorder_after_a_moment(
    watch, recorder, clock, database, webhook
):
    webhook.manner = "refuse"
    watchdog = watch(hand_over_s=0)
    recorder.release()
    look_for(watchdog, clock, 31)
    wait_until(lambda: webhook.calls)
    recorder.acquire(notice())

    others = FileLock(beside(database.path, "alerts"))
    wait_until(lambda: watchdog.look() or others.try_acquire())

    others.release()
    assert webhook.texts == []


def test_a_database_that_can_not_be_read_is_logged_once_until_it_can(watch, recorder, clock, database, caplog):
    watchdog = watch()
    recorder.release()
    watchdog.look()
    clock.move(31)
    aside = database.path.rename(database.path.with_suffix(".aside"))
    database.path.mkdir()

    for _ in range(3):
        watchdog.look()

    (record,) = [record for record in caplog.records if record.name == "tickwell.alerts"]
    assert record.getMessage().startswith("the recorder can't be watched: ")
    database.path.rmdir()
    aside.rename(database.path)
    watchdog.look()
    assert noted(database) == [GONE]


def test_a_recorder_without_a_database_yet_counts_as_running(settings, tmp_path, clock, caplog):
    lock = RecorderLock(tmp_path / "new.duckdb")
    lock.acquire(notice())

    Watchdog(settings, Database(tmp_path / "new.duckdb"), clock=clock).look()

    lock.release()
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


# Where it is started


@pytest.fixture
def begin(clock: Clock) -> Iterator[Callable[[Settings], Watchdog | None]]:
    """As `start_watchdog`, by the clock of the test; what it starts ends with the test."""
    started = []

    def start(settings: Settings) -> Watchdog | None:
        if (watchdog := start_watchdog(settings, clock=clock, limits=Limits(look_s=0.01))) is not None:
            started.append(watchdog)
        return watchdog

    yield start
    for each in started:
        each.stop()
        atexit.unregister(each.stop)


def test_a_process_has_one_watchdog_that_looks_by_itself(begin, settings, recorder, clock, webhook):
    recorder.release()

    assert begin(settings) is not None
    assert begin(settings) is None

    wait_until(lambda: clock.move(31) or webhook.texts == [GONE])


@pytest.mark.parametrize("changes", [{"poller": "embedded"}, {"notify_urls": ()}])
def test_without_a_recorder_to_watch_or_an_address_there_is_no_watchdog(begin, settings, changes):
    assert begin(settings.model_copy(update=changes)) is None


def test_an_address_that_apprise_does_not_know_is_refused_at_the_start(begin, settings):
    with pytest.raises(SettingsError, match="TICKWELL_NOTIFY_URLS: the 1st address, strange, is not one"):
        begin(settings.model_copy(update={"notify_urls": (SecretStr("strange://s3cret"),)}))
