"""A file that has several names is one file: one gate, one lease, one recorder, one write-ahead log."""

from pathlib import Path

import pytest

from store.errors import BusyError, RecorderError
from store.file.aside import list_aside, log_of, size_of
from store.file.database import Database
from store.file.recorder import RecorderLock, read_notice
from store.file.shared import shared_database
from store.prices import ticks
from tests.conftest import tick
from tests.store.files import empty
from tests.store.processes import line, start
from tests.support.stored import append, stored


@pytest.fixture(params=["link", "link to the folder", "relative", "detour"])
def other_name(request: pytest.FixtureRequest, database: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another name of the file of `database`."""
    folder = database.path.parent
    aside = folder / "aside"
    aside.mkdir()
    if request.param == "link":
        (aside / "link.duckdb").symlink_to(database.path)
        return aside / "link.duckdb"
    if request.param == "link to the folder":
        (aside / "folder").symlink_to(folder)
        return aside / "folder/ticks.duckdb"
    if request.param == "relative":
        monkeypatch.chdir(aside)
        return Path("../ticks.duckdb")
    (aside / "folder").symlink_to(folder)
    return aside / "folder/aside/../ticks.duckdb"


def test_all_names_of_a_file_share_its_lease(database, other_name):
    with start("keep_reading", database.path) as program:
        line(program)

        with pytest.raises(BusyError, match=r"^ticks\.duckdb\.lease stayed locked by another process$"):
            append(Database(other_name), tick(0), wait_s=0.1)


def test_all_names_of_a_file_have_one_recorder(database, other_name):
    with start("record", database.path) as program:
        line(program)
        notice = read_notice(other_name)
        assert notice is not None

        with pytest.raises(RecorderError, match=rf"PID {program.process.pid}"):
            RecorderLock(other_name).acquire(notice)

    assert (notice.pid, notice.alive) == (program.process.pid, True)


def test_all_names_of_a_file_share_one_object_in_a_process(database, other_name):
    assert shared_database(other_name, "256MB") is shared_database(database.path, "256MB")


def test_the_log_of_a_file_is_counted_and_folded_under_any_name(database, other_name):
    by_other_name = Database(other_name)
    with by_other_name.write() as cursor:
        ticks.append(cursor, [tick(second) for second in range(5000)])
    file, log = database.path.stat().st_size, log_of(database.path).stat().st_size
    counted = size_of(by_other_name.path)

    by_other_name.checkpoint_when_due()

    assert counted == file + log
    assert not log_of(database.path).exists()


def test_a_damaged_file_that_a_link_leads_to_is_set_aside_where_it_is(database, tmp_path):
    link = tmp_path / "link.duckdb"
    link.symlink_to(database.path)
    empty(database.path)

    Database(link).migrate()

    assert link.is_symlink()
    assert len(list_aside(database.path)) == 1
    append(Database(link), tick(0))
    assert database.path.stat().st_size > 0


def test_a_file_keeps_its_name_when_the_process_goes_elsewhere(database, tmp_path, monkeypatch):
    monkeypatch.chdir(database.path.parent)
    relative = Database(Path("ticks.duckdb"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    append(relative, tick(0))

    assert list(Path.cwd().iterdir()) == []


def test_a_link_that_leads_to_itself_stops_no_recorder(database_file):
    database_file.symlink_to(database_file)
    database = Database(database_file)

    database.migrate()

    append(database, tick(0))


@pytest.mark.parametrize("name", ["it's", 'say "so"', "50 %; x", "ü 日本", "--", "$1 {x}"])
def test_a_folder_may_have_any_name(tmp_path, name):
    database = Database(tmp_path / name / "ticks.duckdb")

    database.migrate()
    append(database, tick(0))

    assert len(stored(database)) == 1
    assert (tmp_path / name / "ticks.duckdb").exists()
