"""What was read of a held file may be kept for as long as its revision is the same."""

import contextlib
import threading
import time
from functools import partial

import pytest

from store.file.database import Database
from store.file.held import Held
from store.prices import ticks
from tests.conftest import tick
from tests.store.files import opened


@pytest.fixture
def database(new_database: Database) -> Database:
    """In a file of its own, as each test holds it by itself."""
    return new_database


def append(database: Database, second: float) -> None:
    with database.write() as cursor:
        ticks.append(cursor, [tick(second)])


def look(database: Database) -> object | None:
    """The revision, once something was read."""
    with database.read():
        pass
    return database.revision


def test_a_file_that_is_not_held_has_no_revision(database):
    append(database, 0)

    assert look(database) is None


def test_a_held_file_has_none_before_it_is_opened_nor_after_the_end(database):
    with database.hold():
        before = database.revision
        within = look(database)

    assert before is None
    assert within is not None
    assert database.revision is None


def test_it_stays_the_same_while_the_file_is_only_read_and_changes_with_each_write(database):
    with database.hold():
        first, again = look(database), look(database)
        append(database, 0)
        written = look(database)
        append(database, 1)
        written_again = look(database)

    assert first is again
    assert len({first, written, written_again} - {None}) == 3


def test_a_write_that_is_undone_changes_nothing(database):
    with database.hold():
        before = look(database)
        with contextlib.suppress(ZeroDivisionError), database.write() as cursor:
            ticks.append(cursor, [tick()])
            raise ZeroDivisionError

        assert look(database) is before


def test_there_is_none_while_a_transaction_commits(database):
    held = Held(database.path, partial(opened, database.path))
    with held.lend(time.monotonic() + 5):
        before = held.revision
        with held.committing():
            during = held.revision
        after = held.revision
    held.close()

    assert during is None
    assert len({before, during, after}) == 3


def test_whoever_else_wrote_while_the_holder_stepped_aside_has_changed_it(database):
    with database.hold():
        before = look(database)
        append(Database(database.path), 0)
        aside = database.revision
        after = look(database)

    assert aside is None
    assert after not in {before, None}


def test_a_write_that_began_before_the_hold_leaves_the_file_unopened_and_without_one(database):
    with contextlib.ExitStack() as holding:
        with database.write() as cursor:
            holding.enter_context(database.hold())
            ticks.append(cursor, [tick()])

        assert database.revision is None
        assert look(database) is not None


def test_a_file_that_was_replaced_has_none_until_it_is_opened_anew(database, tmp_path):
    other = Database(tmp_path / "other.duckdb")
    other.migrate()
    with database.hold():
        before = look(database)
        other.path.replace(database.path)
        replaced = database.revision
        after = look(database)

    assert replaced is None
    assert after not in {before, None}


def test_an_answer_that_is_kept_under_its_revision_is_never_older_than_what_was_stored_before(database):
    kept: tuple[object | None, int] = None, 0
    written: list[int] = []
    short, reused = [], 0

    def write() -> None:
        for second in range(200):
            append(database, second)
            written.append(second)

    with database.hold():
        writer = threading.Thread(target=write)
        writer.start()
        while writer.is_alive() or not reused:
            at_least, revision = len(written), database.revision
            if revision is not None and revision is kept[0]:
                reused += 1
            else:
                with database.read() as cursor:
                    kept = revision, cursor.execute("SELECT count(*) FROM ticks").fetchall()[0][0]
            if kept[1] < at_least:
                short.append((kept[1], at_least))

    assert short == []
