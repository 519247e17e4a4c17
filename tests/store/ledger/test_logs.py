"""The newest note of a log counts: how far it is complete, and why it is late."""

from datetime import timedelta

import pytest

from store.file.database import Database
from store.health.status import health
from store.ledger.logs import Log, logs, note
from tests.conftest import START

HOUR = timedelta(hours=1)


def test_each_log_has_its_newest_note(database: Database):
    late, other = Log("dvol/BTC", START + HOUR, "unreachable", 60), Log("dvol/ETH", START)
    for word in (Log("dvol/BTC", START), other, late):
        with database.write() as cursor:
            note(cursor, word)

    with database.read() as cursor:
        assert logs(cursor) == {"dvol/BTC": late, "dvol/ETH": other}


def test_health_says_how_far_a_log_is_and_why_it_is_late(database: Database, make_settings):
    with database.write() as cursor:
        note(cursor, Log("dvol/BTC", START, "connection refused"))
        note(cursor, Log("dvol/ETH", START))

    feeds = health(database, make_settings(), START + HOUR)["feeds"]

    complete = {"last": START.isoformat(), "age_s": 3600.0}
    assert feeds == {
        "dvol/BTC": complete | {"state": "late", "reason": "connection refused"},
        "dvol/ETH": complete | {"state": "ok"},
    }


@pytest.mark.parametrize(("period_s", "state"), [(60, "stale"), (1200, "ok"), (1199, "stale"), (None, "ok")])
def test_a_log_is_stale_after_three_of_its_periods(database: Database, make_settings, period_s: int | None, state: str):
    with database.write() as cursor:
        note(cursor, Log("dvol/BTC", START, period_s=period_s))

    assert health(database, make_settings(), START + HOUR)["feeds"]["dvol/BTC"]["state"] == state
