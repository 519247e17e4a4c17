"""A file of the last version before feeds gives the same answers, and so does one restored from its backup."""

import pytest

from store.backup.restore import restore
from store.backup.verify import faults_of_database
from store.file.database import Database
from tests.store import before_feeds


def upgraded(database_file, _folder) -> Database:
    before_feeds.unpack(database_file)
    database = Database(database_file)
    database.migrate()
    return database


def restored(database_file, folder) -> Database:
    before_feeds.unpack_backup(folder)
    database = Database(database_file)
    restore(folder, database)
    return database


@pytest.mark.parametrize("brought_along", [upgraded, restored])
def test_every_number_of_a_file_from_before_feeds_is_unchanged(database_file, tmp_path, brought_along):
    database = brought_along(database_file, tmp_path / "backup")

    before, now = before_feeds.recorded_answers(), before_feeds.answers(database)

    assert now.keys() == before.keys()
    for question in before:
        assert now[question] == before[question], question
    assert list(faults_of_database(database)) == []


def test_the_file_from_before_feeds_has_a_case_of_everything_that_may_change():
    found = before_feeds.recorded_answers()

    assert {state for *_, state in ((*gap[:4], gap[7]) for gap in found["gaps"])} == {"healed", "open", "unfillable"}
    assert all(found.values())
