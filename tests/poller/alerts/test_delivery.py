"""Every event reaches every target in spite of failures, and an event noted as sent is never sent again."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from poller.alerts.delivery import Delivery, Limits, announce_events, message_of
from store.alerts import events
from store.file.database import Database
from store.file.locks import FileLock, beside
from tests.conftest import reads_of, wait_until
from tests.poller.conftest import MovedClock
from tests.support.events import alert, deliveries, note, texts_sent
from tests.support.webhook import SECRET, Webhook

Start = Callable[..., Delivery]

SOON = Limits(try_s=5, first_wait_s=0.02)
"""A second try comes soon."""

IMPATIENT = replace(SOON, store_s=0.05)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with Webhook() as webhook:
        yield webhook


@pytest.fixture
def addresses(webhook: Webhook) -> dict[str, SecretStr]:
    return {"json": SecretStr(webhook.address)}


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
def start(database: Database, addresses: dict[str, SecretStr], clock: MovedClock) -> Iterator[Start]:
    """Start deliveries, by default of the test's database; they end with the test."""
    started: list[Delivery] = []

    def begin(**more: object) -> Delivery:
        settings = {"database": database, "addresses": lambda: addresses, "clock": clock, "limits": SOON, **more}
        made = Delivery(**settings)  # type: ignore[arg-type]
        started.append(made)
        made.start()
        return made

    yield begin
    for each in started:
        each.stop()


def no_reads_for(database: Database, seconds: float) -> bool:
    before = reads_of(database)
    time.sleep(seconds)  # to see that nothing happens
    return reads_of(database) == before


def ours(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    """Our log records. Those of apprise may come from a message of an earlier test, whose thread hangs."""
    return [record for record in caplog.records if record.name.startswith("tickwell")]


def test_a_message_has_rule_severity_time_and_reason():
    at = datetime(2026, 11, 27, 14, 25, 7, 816_649, tzinfo=UTC)

    fired, over = (message_of(alert("BTC / USD fell 3.2 %", at=at, event=event)) for event in ("fired", "over"))

    assert (fired.title, fired.kind) == ("Tickwell: Sharp move, critical", "failure")
    assert fired.body == "BTC / USD fell 3.2 %\n2026-11-27 14:25:07.816 UTC, condition: moves 3 % within 15 min"
    assert (over.title, over.kind) == ("Tickwell: Sharp move, over", "success")


@pytest.mark.parametrize(("severity", "kind"), [("info", "info"), ("warning", "warning"), ("critical", "failure")])
def test_the_severity_of_a_rule_is_the_kind_of_its_message(severity, kind):
    assert message_of(alert(severity=severity)).kind == kind


def test_an_event_left_from_before_is_sent_and_noted(start: Start, database: Database, webhook: Webhook, caplog):
    caplog.set_level(logging.INFO, "tickwell")
    note(database, alert("a"), alert("b"))
    start()

    wait_until(lambda: len(deliveries(database)) == 2)

    assert webhook.texts == ["a", "b"]
    assert deliveries(database) == [("a", "json", "sent", ""), ("b", "json", "sent", "")]
    wait_until(lambda: caplog.messages.count("json: alert Sharp move sent") == 2)


def test_an_event_is_sent_at_once_when_the_delivery_is_woken(start: Start, database: Database, webhook: Webhook):
    delivery = start()
    wait_until(lambda: delivery.idle)
    note(database, alert("now"))
    noted = time.monotonic()

    delivery.wake()

    wait_until(lambda: webhook.texts == ["now"])
    assert webhook.times[0] - noted < 1


def test_without_pending_events_neither_the_database_nor_the_lock_is_touched(start: Start, database: Database):
    delivery = start()
    wait_until(lambda: delivery.idle and reads_of(database))

    assert no_reads_for(database, 1.5)
    assert not beside(database.path, "alerts").exists()


def test_an_event_noted_as_sent_is_never_sent_again(start: Start, database: Database, webhook: Webhook):
    note(database, alert("once"))
    first = start()
    wait_until(lambda: texts_sent(database) == ["once"])
    first.stop()
    note(database, alert("twice"))

    start()

    wait_until(lambda: len(texts_sent(database)) == 2)
    assert webhook.texts == ["once", "twice"]


def test_each_target_gets_the_event(
    start: Start, database: Database, webhook: Webhook, addresses: dict[str, SecretStr]
):
    with Webhook() as other:
        addresses["json 2"] = SecretStr(other.address)
        note(database, alert("both", ("json", "json 2")))
        start()

        wait_until(lambda: len(deliveries(database)) == 2)
    assert (webhook.texts, other.texts) == (["both"], ["both"])
    assert {target for _, target, _, _ in deliveries(database)} == {"json", "json 2"}


@pytest.mark.parametrize("manner", ["refuse", "drop"])
def test_a_target_that_fails_is_tried_until_it_takes_it(start: Start, database, webhook: Webhook, manner, caplog):
    caplog.set_level(logging.INFO, "tickwell")
    webhook.manner = manner
    note(database, alert("a"))
    start()

    wait_until(lambda: len(deliveries(database)) >= 3)
    webhook.manner = "accept"

    wait_until(lambda: texts_sent(database) == ["a"])
    assert webhook.texts == ["a"]
    assert all("otification" in detail for _, _, outcome, detail in deliveries(database) if outcome == "failed")
    told = [record for record in caplog.records if "alert Sharp move not sent, next try in" in record.getMessage()]
    assert {record.levelno for record in told[:1]} == {logging.WARNING}
    assert {record.levelno for record in told[1:]} == {logging.INFO}
    said = "".join(record.getMessage() for record in ours(caplog))
    assert not any(secret in said for secret in (SECRET, "Passw0rd", str(webhook.port)))


def test_a_dead_network_is_survived(start: Start, database, addresses: dict[str, SecretStr], webhook: Webhook):
    with Webhook() as gone:
        addresses["json"] = SecretStr(gone.address)
    note(database, alert("a"))
    start()
    wait_until(lambda: deliveries(database))

    addresses["json"] = SecretStr(webhook.address)

    wait_until(lambda: texts_sent(database) == ["a"])
    assert deliveries(database)[0][3].endswith("Connection refused")


def test_a_target_that_hangs_delays_no_other_one(start: Start, database, webhook, addresses: dict[str, SecretStr]):
    with Webhook("hang") as hanging:
        addresses["json 2"] = SecretStr(hanging.address)
        note(database, *(alert(str(number), ("json", "json 2")) for number in range(5)))
        began = time.monotonic()
        start()

        wait_until(lambda: len(texts_sent(database)) == 5)
        took_s = time.monotonic() - began
        still_hangs = {target for _, target, *_ in deliveries(database)} == {"json"}
    assert webhook.texts == ["0", "1", "2", "3", "4"]
    assert still_hangs
    assert took_s < 4  # when apprise gives up the one that hangs


def test_an_answer_that_trickles_is_a_failed_try_after_a_while(start: Start, database: Database, webhook: Webhook):
    webhook.manner = "trickle"
    note(database, alert("a"))

    start(limits=replace(SOON, try_s=0.3))

    wait_until(lambda: ("a", "json", "failed", "no answer within 0.3 s") in deliveries(database))


def test_an_event_waits_for_the_end_of_quiet_hours_without_reads_of_the_database(
    start: Start, database: Database, webhook: Webhook, clock: MovedClock
):
    note(database, alert("later", send_after=clock() + timedelta(hours=1)))
    start()
    wait_until(lambda: beside(database.path, "alerts").exists())
    wait_until(lambda: no_reads_for(database, 0.3))
    quiet = no_reads_for(database, 1.5)
    before = list(webhook.texts)

    clock.ahead_s = 3601

    wait_until(lambda: webhook.texts == ["later"], timeout_s=3)
    assert (quiet, before) == (True, [])


def test_an_event_that_was_not_sent_in_a_week_is_given_up(
    start: Start, database: Database, webhook: Webhook, clock, caplog
):
    webhook.manner = "refuse"
    note(database, alert("a"))
    delivery = start()
    wait_until(lambda: deliveries(database))

    clock.ahead_s = 7 * 86_400 + 60

    wait_until(lambda: deliveries(database)[-1] == ("a", "json", "given up", "not sent within 7 days"))
    wait_until(lambda: "json: 1 alert given up: not sent within 7 days" in caplog.messages)
    tries = len(webhook.calls)
    note(database, alert("b", noted_at=clock()))
    delivery.wake()
    wait_until(lambda: len(webhook.calls) > tries)
    assert [outcome for text, _, outcome, _ in deliveries(database) if text == "a"].count("given up") == 1


def test_any_number_of_events_without_an_address_is_given_up_at_once(start: Start, database: Database, webhook, caplog):
    note(database, *(alert(str(number), ("ntfy",)) for number in range(120)), alert("told"))

    start()

    wait_until(lambda: len(deliveries(database)) == 121)
    assert {outcome for text, _, outcome, _ in deliveries(database) if text != "told"} == {"given up"}
    assert {detail for text, _, _, detail in deliveries(database) if text != "told"} == {"its address is gone"}
    assert webhook.texts == ["told"]
    said = [message for message in caplog.messages if message.startswith("ntfy: ") and "given up" in message]
    assert said[0] == "ntfy: 50 alerts given up: its address is gone"
    assert len(said) == 3


def test_a_delivery_that_gives_nothing_up_leaves_unknown_targets_to_others(
    start: Start, database: Database, webhook, clock
):
    note(database, alert("unknown", ("json of Mine",)), alert("old", noted_at=clock() - timedelta(days=8)))

    delivery = start(gives_up=False)

    wait_until(lambda: texts_sent(database) == ["old"])
    wait_until(lambda: delivery.idle)
    assert len(deliveries(database)) == 1


def test_one_process_at_a_time_sends_and_the_next_one_goes_on_from_there(start: Start, database, webhook: Webhook):
    other = FileLock(beside(database.path, "alerts"))
    assert other.try_acquire()
    note(database, alert("a"), alert("b"))
    before_it_looked = reads_of(database)
    start()
    wait_until(lambda: reads_of(database) > before_it_looked)
    with database.write() as cursor:
        first = events.pending(cursor)[0]
        events.note_delivery(cursor, first.event.id, events.Delivery("json", "sent", first.event.at, "", 1))
    before = list(webhook.texts)

    other.release()

    wait_until(lambda: len(texts_sent(database)) == 2)
    assert (before, webhook.texts) == ([], ["b"])


def test_it_keeps_the_lock_and_takes_it_again_when_its_file_is_deleted(start: Start, database, webhook: Webhook):
    note(database, alert("a"))
    delivery = start()
    wait_until(lambda: texts_sent(database) == ["a"])
    path = beside(database.path, "alerts")
    assert not FileLock(path).try_acquire()
    path.unlink()

    note(database, alert("b"))
    delivery.wake()

    wait_until(lambda: texts_sent(database) == ["a", "b"])
    assert not FileLock(path).try_acquire()
    delivery.stop()
    free = FileLock(path)
    assert free.try_acquire()
    free.release()


def test_events_that_another_process_announces_are_sent(start: Start, database: Database, webhook: Webhook):
    note(database, alert("a"))
    delivery = start()
    wait_until(lambda: delivery.idle)
    note(database, alert("b"))

    announce_events(database.path)

    wait_until(lambda: webhook.texts == ["a", "b"])


def test_a_failed_announcement_raises_nothing(tmp_path: Path):
    announce_events(tmp_path / "missing" / "ticks.duckdb")


def test_it_waits_for_a_missing_database(start: Start, database: Database, tmp_path, webhook, caplog):
    later = Database(tmp_path / "later" / "ticks.duckdb")
    start(database=later)
    assert no_reads_for(later, 0.1)

    later.migrate()
    note(later, alert("a"))

    wait_until(lambda: texts_sent(later) == ["a"])
    assert not [record for record in ours(caplog) if record.levelno >= logging.WARNING]


def test_a_database_that_can_not_be_written_causes_no_second_message(
    start: Start, database: Database, webhook: Webhook, caplog
):
    note(database, alert("a"), alert("b"))
    webhook.delay_s = 1
    start(limits=IMPATIENT)
    wait_until(lambda: webhook.calls)

    with database.write():
        wait_until(lambda: webhook.texts == ["a"])
        waits = "alerts are not sent until the database can be used"
        wait_until(lambda: sum(waits in message for message in caplog.messages) == 1)
        time.sleep(1.2)  # to see that nothing more is sent
        during = list(webhook.texts)

    wait_until(lambda: texts_sent(database) == ["a", "b"])
    assert (during, webhook.texts) == (["a"], ["a", "b"])
    assert sum("alerts are not sent until the database can be used" in message for message in caplog.messages) == 1


def test_a_stop_lets_a_running_message_end_and_notes_it(start: Start, database: Database, webhook: Webhook):
    webhook.delay_s = 0.4
    note(database, alert("a"), alert("b"))
    delivery = start()
    wait_until(lambda: webhook.calls)

    began = time.monotonic()
    delivery.stop()

    assert time.monotonic() - began < 2
    assert texts_sent(database) == webhook.texts == ["a"]


def test_after_a_stop_a_message_that_hung_is_sent_again(start: Start, database: Database, webhook: Webhook):
    webhook.manner = "hang"
    note(database, alert("a"))
    delivery = start()
    wait_until(lambda: webhook.calls)

    began = time.monotonic()
    delivery.stop()
    took_s = time.monotonic() - began
    webhook.manner = "accept"
    start()

    assert took_s < 2
    wait_until(lambda: texts_sent(database) == ["a"])


def test_a_stop_that_can_not_note_says_so(start: Start, database: Database, webhook: Webhook, caplog):
    webhook.delay_s = 0.2
    note(database, alert("a"))
    delivery = start(limits=IMPATIENT)
    wait_until(lambda: webhook.calls)

    with database.write():
        delivery.stop()

    assert any(
        message.startswith("alerts that were sent may be sent again, because that could not be noted: ")
        for message in caplog.messages
    )
    assert deliveries(database) == []


def test_a_stop_before_the_start_raises_nothing(database: Database):
    Delivery(database, dict).stop()


def test_an_error_in_our_code_does_not_end_the_delivery(
    start: Start, database: Database, webhook: Webhook, addresses: dict[str, SecretStr], caplog
):
    failing = True

    def asked() -> dict[str, SecretStr]:
        if failing:
            raise ZeroDivisionError
        return addresses

    note(database, alert("a"))
    start(addresses=asked)
    wait_until(lambda: "the job delivery failed" in caplog.messages)
    failing = False

    wait_until(lambda: webhook.texts == ["a"])


def test_its_threads_never_delay_the_end_of_the_process(start: Start, database: Database, webhook: Webhook):
    webhook.manner = "hang"
    note(database, alert("a"))
    start()

    wait_until(lambda: webhook.calls)

    assert all(thread.daemon for thread in threading.enumerate() if thread.name.startswith("tickwell-"))
