"""How far a file is shared, in facts and in words."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from settings import Settings
from store.health.sharing import LAGS_AFTER_S, Sharing, sharing
from store.health.status import shared_in_words
from store.lake.notice import Notice, desk
from tests.conftest import START

NOTICE = Notice("an id", {}, START, 12, 3)
LAKE = "postgresql://user:hidden@db/lake"


def shared(database_file: Path, make_settings: Callable[..., Settings], notice: Notice, later_s: int) -> Sharing:
    with desk(database_file) as place:
        place.put(notice)
    found = sharing(make_settings(lake=LAKE), START + timedelta(seconds=later_s))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("notice", "later_s", "state", "words", "is_behind"),
    [
        (Notice(), 9, "never", "not shared yet", False),
        (Notice(trouble="no network"), 9, "never", "not shared yet: no network", True),
        (NOTICE, 9, "ok", "shared up to 12:00", False),
        (NOTICE, -1, "ok", "shared up to 12:00", False),
        (NOTICE, LAGS_AFTER_S, "ok", "shared up to 12:00", False),
        (NOTICE, LAGS_AFTER_S + 1, "lagging", "shared up to 12:00, 3 min 1 s ago", True),
        (
            replace(NOTICE, trouble="no network"),
            9000,
            "lagging",
            "shared up to 12:00, 2 h 30 min ago: no network",
            True,
        ),
        (NOTICE, 86_400, "lagging", "shared up to 2026-11-01 12:00, 1 d ago", True),
    ],
)
def test_a_file_is_shared_as_its_publisher_noted(
    database_file, make_settings, notice, later_s, state, words, is_behind
):
    found = shared(database_file, make_settings, notice, later_s)

    assert (found.state, shared_in_words(found, START + timedelta(seconds=later_s))) == (state, words)
    lag_s = None if state == "never" else max(0, later_s)
    assert found.is_behind == is_behind
    assert found.as_json() == {
        "state": state,
        "shared_to": None if state == "never" else START.isoformat(),
        "lag_s": lag_s,
        "rows": notice.rows,
        "conflicts": notice.conflicts,
        "trouble": notice.trouble,
    }


def test_without_a_lake_to_publish_into_nothing_is_said(database_file, make_settings):
    assert sharing(make_settings(), START) is None
    assert sharing(make_settings(lake=LAKE, poller="lake"), START) is None
