"""`lake create`, `publish`, `status`, `verify` and `restore` as a user runs them."""

import json
import logging
import queue
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import pytest

from poller.commands import publishing
from poller.commands.publishing import publish_until
from store.file.database import Database
from store.lake.notice import desk
from tests.conftest import START, Program, wait_until
from tests.store.lake.recordings import files, in_file, new_file, observe, share, slots_in
from tests.support.servers import IN_URL

KEYS = {"AWS_ACCESS_KEY_ID": "key_id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": "endpoint"}


@pytest.fixture
def run(command, place, monkeypatch):
    """Run a command on the lake of the test."""
    for variable, name in KEYS.items():
        monkeypatch.setenv(variable, getattr(place.keys, name))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return lambda *arguments: command("lake", *arguments, lake=place.url)


@pytest.fixture
def recorded(database_file) -> Database:
    return new_file(database_file)


def test_a_lake_is_made_filled_looked_at_and_verified(run, place, recorded):
    where = place.lake().where
    observe(recorded, range(5))

    made = run("create", place.files)
    published = run("publish", "--once")
    again = run("publish", "--once", "--all")
    status, as_json = run("status"), run("status", "--json")
    verified = run("verify")

    assert made.stdout == f"{where} is made, with its files in {place.files}\n"
    assert published.stdout == f"published into {where}: rows 6\n"
    assert again.stdout == f"published into {where}: rows 0\n"
    assert status.stdout.splitlines()[0] == f"{where}: files in {place.files}/, prices of Deribit"
    assert json.loads(as_json.stdout)["tables"]["ticks"]["rows"] == 5
    assert verified.stdout == "the lake has all of the database; days of tables: 2, of which equal: 2\n"
    assert [result.exit_code for result in (made, published, again, status, as_json, verified)] == [0] * 6


def test_a_new_file_is_made_from_the_lake_once(run, place, recorded, tmp_path):
    lake, into = place.make(), tmp_path / "spare.duckdb"
    observe(recorded, range(5))
    share(recorded, lake)

    made = run("restore", "--into", str(into))
    again = run("restore", "--into", str(into))
    without = run("restore")

    assert (made.exit_code, made.stdout) == (0, f"restored {lake.where} into {into}: ticks 5, runs 1\n")
    assert in_file(Database(into), "ticks") == in_file(recorded, "ticks")
    for refused, path in ((again, into), (without, recorded.path)):
        line = f"Error: {path} exists already and was left as it is: name another file with --into"
        assert (refused.exit_code, refused.stderr.splitlines()[-1]) == (1, line)


def test_verify_lists_what_the_lake_lacks_and_fails(run, place, recorded):
    place.make()
    observe(recorded, range(5))

    verified = run("verify")

    assert (verified.exit_code, verified.stdout, verified.stderr.splitlines()[-1]) == (
        1,
        "".join(f"{rows} rows of {START:%Y-%m-%d} are not in the lake\n" for rows in ("ticks: 5", "runs: 1")),
        "Error: the lake is not as the database, faults: 2; days of tables: 2, of which equal: 0",
    )


def test_an_error_is_one_line_without_the_password(run):
    refused = run("status")

    assert refused.exit_code == 1
    assert refused.stderr.startswith("Error: lake 127.0.0.1/lake_")
    assert len(refused.stderr.splitlines()) == 1
    assert IN_URL not in refused.stderr


def test_without_the_setting_a_line_names_it(command):
    refused = command("lake", "status")

    assert refused.exit_code == 1
    assert refused.stderr == (
        "Error: TICKWELL_LAKE is not set: it is the database of the lake's catalog, such as "
        "postgresql://user:password@host/database\n"
    )


@pytest.mark.parametrize("url", ["relative/folder", "https://bucket/folder", "s3://"])
def test_a_place_that_is_neither_a_bucket_nor_a_folder_is_refused(command, url):
    refused = command("lake", "create", url, lake="postgresql://db/lake")

    assert refused.exit_code == 2
    assert f"{url}: must be s3://bucket/folder, or the absolute path of a folder" in refused.stderr


def test_a_publisher_publishes_what_comes_until_a_signal_comes(place, lake, recorded):
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    observe(recorded, [0])

    with desk(recorded.path) as at, ThreadPoolExecutor(1) as thread:
        running = thread.submit(publish_until, signals, recorded, lake, at, each_s=0.1)
        wait_until(lambda: slots_in(lake) == [0], timeout_s=60)
        observe(recorded, [1])
        wait_until(lambda: slots_in(lake) == [0, 1], timeout_s=60)
        signals.put(signal.SIGTERM)
        running.result()


def test_a_publisher_keeps_its_lake_and_goes_on_where_it_can_not(place, lake, recorded, caplog):
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    caplog.set_level(logging.INFO, "tickwell.lake")
    for slot in range(3):
        observe(recorded, [slot])
        share(recorded, lake)

    def told(begin: str) -> bool:
        return any(line.startswith(begin) for line in caplog.messages)

    with desk(recorded.path) as at, ThreadPoolExecutor(1) as thread:
        running = thread.submit(publish_until, signals, recorded, lake, at, each_s=0.1, keep_each_s=0.2)
        wait_until(lambda: told("files written by merging small ones: "), timeout_s=60)
        merged = files(lake)
        with place.server.connected(place.url.rpartition("/")[2]) as connection:
            connection.execute("DROP TABLE ducklake_files_scheduled_for_deletion")
        wait_until(lambda: told("not kept, trying again"), timeout_s=60)
        observe(recorded, [3])
        wait_until(lambda: slots_in(lake) == [0, 1, 2, 3], timeout_s=60)
        signals.put(signal.SIGTERM)
        running.result()

    assert merged["ticks"] == 1


def test_a_signal_ends_a_publisher_that_catches_up(place, lake, recorded, monkeypatch):
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    observe(recorded, [0])

    def now(_path: Path) -> datetime:
        signals.put(signal.SIGTERM)
        return START

    monkeypatch.setattr(publishing, "exchange_now", now)
    with desk(recorded.path) as at:
        publish_until(signals, recorded, lake, at)

    assert slots_in(lake) == []


def test_a_failure_that_stays_is_told_once_and_again_after_a_success(place, recorded, caplog):
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    caplog.set_level(logging.DEBUG, "tickwell.lake")

    def failures(level: int) -> list[str]:
        return [
            record.getMessage()
            for record in caplog.records
            if record.levelno == level and "not published" in record.getMessage()
        ]

    with desk(recorded.path) as at, ThreadPoolExecutor(1) as thread:
        running = thread.submit(publish_until, signals, recorded, place.lake(), at, each_s=0.1)
        wait_until(lambda: len(failures(logging.DEBUG)) > 1, timeout_s=60)
        told = failures(logging.WARNING)
        place.make()
        wait_until(lambda: any(line.startswith("published rows") for line in caplog.messages), timeout_s=60)
        with place.server.connected(place.url.rpartition("/")[2]) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
        wait_until(lambda: len(failures(logging.WARNING)) > 1, timeout_s=60)
        signals.put(signal.SIGTERM)
        running.result()

    assert len(told) == 1
    assert "there is no lake yet" in told[0]


def program(place, database: Database) -> Program:
    """A publisher in an interpreter of its own: the extensions abort at the end of a fork."""
    return Program("poller.__main__", "lake", "publish", database=database.path, lake=place.url)


@pytest.fixture
def keys(place, monkeypatch):
    for variable, name in KEYS.items():
        monkeypatch.setenv(variable, getattr(place.keys, name))


@pytest.mark.usefixtures("keys")
def test_a_publisher_goes_on_until_it_is_stopped(place, lake, recorded):
    observe(recorded, range(3))

    with program(place, recorded) as publisher:
        wait_until(lambda: slots_in(lake) == [0, 1, 2], timeout_s=60)
        code, _, logged = publisher.stop(signal.SIGTERM)

    assert code == 0
    assert "published rows: 4" in logged


@pytest.mark.usefixtures("keys")
def test_a_publisher_without_its_lake_says_so_and_tries_again(place, recorded):
    with program(place, recorded) as publisher:
        assert publisher.process.stderr is not None
        lines = [publisher.process.stderr.readline() for _ in range(2)]
        code, _, _ = publisher.stop(signal.SIGINT)

    assert "not published, trying again in 60 s: " in lines[1]
    assert "there is no lake yet" in lines[1]
    assert code == 0
