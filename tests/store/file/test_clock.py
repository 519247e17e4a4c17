"""The time by the exchange's clock, if a recorder knows it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from store.file.clock import corrected, exchange_now, off_in_words
from store.file.recorder import Notice, RecorderLock
from tests.conftest import START

LATE = Notice(
    pid=812,
    mode="external",
    since=START,
    poll_seconds=5,
    indexes=("btc_usd",),
    version="1",
    state="recording",
    state_since=START,
    skew_s=180.0,
)
MINUTE = timedelta(minutes=1)


def test_a_running_recorder_gives_readers_the_exchanges_time(database_file):
    lock = RecorderLock(database_file)
    lock.acquire(LATE)

    now = exchange_now(database_file, START)

    lock.release()
    assert now == START + 3 * MINUTE


def test_without_a_recorder_or_a_folder_to_look_in_the_local_clock_counts(database_file):
    assert exchange_now(database_file, START) == START
    beside = database_file.with_name(f"{database_file.name}.recorder")
    beside.mkdir()
    assert exchange_now(database_file, START) == START


@pytest.mark.parametrize(
    ("ended_after", "skew_s", "minutes"),
    [
        (2, 180.0, 2),  # nothing that it recorded is newer
        (9, 180.0, 3),  # the clock was set back since
        (-9, 180.0, 0),  # it ended long ago
        (2, -180.0, 0),
        (2, 0.0, 0),
    ],
)
def test_the_time_is_never_before_the_end_of_the_last_recorder(ended_after, skew_s, minutes):
    ended = replace(LATE, state="stopped", state_since=START + ended_after * MINUTE, skew_s=skew_s, alive=False)

    assert corrected(ended, START) == START + minutes * MINUTE


def test_how_far_a_clock_is_off_is_said_in_two_units():
    assert off_in_words(182.4) == "3 min 2 s behind the exchange's"
    assert off_in_words(-2.2) == "2 s ahead of the exchange's"
