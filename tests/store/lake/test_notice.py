"""The notice of a publisher outlives it, and a damaged one counts as none."""

import pytest

from settings import BucketKeys
from store.errors import BusyError, StoreError
from store.lake.connection import Lake
from store.lake.notice import Notice, desk, is_published, read_notice
from tests.conftest import START
from tests.store.lake.recordings import share

NOTICE = Notice("an id", {"ticks": (10, 9, 7), "funding": (0, 0, None)}, START, 9, 2, "no network")


def test_a_notice_is_read_as_it_was_put(database_file):
    with desk(database_file) as place:
        place.put(NOTICE)
        assert place.notice == NOTICE

    assert read_notice(database_file) == NOTICE
    with desk(database_file) as place:
        assert place.notice == NOTICE


def test_nothing_published_is_an_empty_notice(database_file):
    assert read_notice(database_file) == Notice()


def test_a_file_has_one_publisher(database_file):
    with desk(database_file):
        assert is_published(database_file)
        with pytest.raises(BusyError, match=f"^{database_file.name} is being published by another process$"):
            desk(database_file).__enter__()

    assert not is_published(database_file)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"marks": {"ticks": 1}}', '{"marks": {}, "shared_to": "x"}'])
def test_a_damaged_notice_counts_as_none(text):
    assert Notice.of(text) == Notice()


def test_a_failure_is_noted_beside_what_was_published_before(database):
    nowhere = Lake("postgresql://127.0.0.1:1/lake", BucketKeys())
    with desk(database.path) as place:
        place.put(NOTICE)

    with pytest.raises(StoreError) as refused:
        share(database, nowhere)

    found = read_notice(database.path)
    assert (found.trouble, found.marks, found.shared_to) == (str(refused.value), NOTICE.marks, START)
