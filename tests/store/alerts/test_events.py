"""Events and deliveries are read as they were noted, and show what is still to be sent."""

import dataclasses
import math
from datetime import timedelta
from typing import Any

from store.alerts import events
from store.alerts.events import Delivery, Event, EventStatus
from store.file.database import Database
from tests.conftest import START


def made(second: float = 0, **changes: Any) -> Event:
    at = START + timedelta(seconds=second)
    event = Event(
        "Sharp move",
        "rises 3 % within 15 min",
        "btc_usd",
        "fired",
        "warning",
        at,
        103.0,
        3.1,
        3.0,
        "BTC / USD rose",
        ("ntfy",),
        at,
        at + timedelta(seconds=1),
    )
    return dataclasses.replace(event, **changes)


def note(database: Database, *found: Event) -> None:
    with database.write() as cursor:
        events.append(cursor, found)


def deliver(database: Database, event: Event, outcome: events.Outcome, target: str = "ntfy", second: float = 5) -> None:
    with database.write() as cursor:
        delivery = Delivery(target, outcome, START + timedelta(seconds=second), "refused", 1)
        events.note_delivery(cursor, event.id, delivery)


def waiting(database: Database) -> list[tuple[str, str, int]]:
    with database.read() as cursor:
        return [(each.event.id, each.target, each.tries) for each in events.pending(cursor)]


def newest(database: Database, **which: Any) -> list[Event]:
    with database.read() as cursor:
        return events.fired(cursor, START, START + timedelta(hours=1), **{"limit": 10, **which})


def test_events_are_read_as_they_were_noted(database: Database):
    event = made(targets=("ntfy", "json of Sharp move"), send_after=START + timedelta(hours=9))

    note(database, event)

    assert newest(database) == [event]


def test_a_missing_number_stays_missing(database: Database):
    note(database, made(price=math.nan, value=math.nan, threshold=math.nan))

    (event,) = newest(database)

    assert all(map(math.isnan, (event.price, event.value, event.threshold)))


def test_the_newest_of_many_events_come_first(database: Database):
    many = [made(second, index_name=("btc_usd", "eth_usd")[second % 2]) for second in range(500)]
    note(database, *many)

    assert newest(database, limit=3) == many[:-4:-1]
    assert newest(database, limit=2, index_names=["btc_usd"]) == [many[498], many[496]]


def test_fired_gives_only_events_that_fired_in_the_range(database: Database):
    note(database, made(event="over"), made(-1), made(3600))

    assert newest(database) == []


def test_the_last_event_of_a_condition_says_where_it_stands(database: Database):
    note(database, made(0), made(5, event="over"), made(1, index_name="eth_usd"), made(2, event="over", rule="level"))

    with database.read() as cursor:
        found = events.standings(cursor)

    assert {key[::2]: (its.event, its.at, its.fired_at) for key, its in found.items()} == {
        ("Sharp move", "btc_usd"): ("over", START + timedelta(seconds=5), START),
        ("Sharp move", "eth_usd"): ("fired", START + timedelta(seconds=1), START + timedelta(seconds=1)),
        ("level", "btc_usd"): ("over", START + timedelta(seconds=2), None),
    }


def test_an_event_is_pending_for_each_target_until_it_was_sent(database: Database):
    event, other = made(targets=("ntfy", "json")), made(1)
    note(database, event, other, made(2, targets=()))

    deliver(database, event, "sent", "json")
    deliver(database, event, "failed", "ntfy")
    deliver(database, event, "failed", "ntfy")

    assert waiting(database) == [(other.id, "ntfy", 0), (event.id, "ntfy", 2)]


def test_an_event_that_was_given_up_is_not_tried_again(database: Database):
    event = made()
    note(database, event)

    deliver(database, event, "given up")

    assert waiting(database) == []


def test_the_delivery_of_an_event_is_the_last_try_at_each_target(database: Database):
    event, other = made(targets=("json", "ntfy")), made(1)
    note(database, event, other)
    deliver(database, event, "failed", "ntfy", 5)
    deliver(database, event, "sent", "ntfy", 6)
    deliver(database, event, "failed", "json", 7)

    with database.read() as cursor:
        found = events.statuses(cursor, [other, event])

    assert found == [
        EventStatus(other),
        EventStatus(
            event,
            (
                Delivery("json", "failed", START + timedelta(seconds=7), "refused", 1),
                Delivery("ntfy", "sent", START + timedelta(seconds=6), "refused", 2),
            ),
        ),
    ]


def test_the_first_reader_who_acknowledges_an_event_counts(database: Database):
    event = made()
    note(database, event)
    for second, reader in enumerate(("local", "me@example.com"), 7):
        with database.write() as cursor:
            events.acknowledge(cursor, event.id, START + timedelta(seconds=second), reader)

    with database.read() as cursor:
        (found,) = events.statuses(cursor, [event])

    assert (found.acknowledged_at, found.reader) == (START + timedelta(seconds=7), "local")


def test_an_unknown_event_can_not_be_acknowledged(database: Database):
    with database.write() as cursor:
        events.acknowledge(cursor, "nothing", START, "local")

    with database.read() as cursor:
        assert cursor.execute("SELECT count(*) FROM alert_acknowledgements").fetchall() == [(0,)]


def test_the_newest_events_are_those_that_people_see(database: Database):
    told_over, quiet_over = made(3, event="over"), made(2, event="over", targets=())
    first, second = made(0, severity="info"), made(1, index_name="eth_usd", targets=())
    note(database, first, second, quiet_over, told_over)
    deliver(database, first, "sent")
    with database.write() as cursor:
        events.acknowledge(cursor, first.id, START, "local")

    def ids(**which: Any) -> list[str]:
        with database.read() as cursor:
            return [each.event.id for each in events.newest(cursor, **{"limit": 10, **which})]

    assert ids() == [told_over.id, second.id, first.id]
    assert ids(limit=1) == [told_over.id]
    assert ids(limit=1, offset=1) == [second.id]
    assert ids(index_name="eth_usd") == [second.id]
    assert ids(severity="info") == [first.id]
    assert ids(acknowledged=False) == [told_over.id, second.id]
    with database.read() as cursor:
        last = events.newest(cursor, limit=3)[-1]
    assert (last.event, last.reader) == (first, "local")
    assert [each.outcome for each in last.deliveries] == ["sent"]
