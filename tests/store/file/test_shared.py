"""One process has one object for one file."""

from store.file.shared import shared_database


def test_everybody_who_asks_for_a_file_gets_the_same_object(database_file):
    first = shared_database(database_file, "256MB")

    again = shared_database(database_file, "256MB")

    assert again is first


def test_another_file_is_another_object(tmp_path):
    one = shared_database(tmp_path / "one.duckdb", "256MB")

    other = shared_database(tmp_path / "other.duckdb", "256MB")

    assert other is not one
    assert (one.path.name, other.path.name) == ("one.duckdb", "other.duckdb")


def test_its_queries_run_in_one_thread_each_so_that_many_readers_share_the_cores(database_file):
    database = shared_database(database_file, "256MB")
    database.migrate()

    with database.read() as cursor:
        assert cursor.execute("SELECT current_setting('threads')").fetchall() == [(1,)]
