"""A recorder with a lake starts a publisher, and loses no slot whatever becomes of the lake."""

import signal
from collections.abc import Iterator
from datetime import timedelta

import psutil
import pytest

from store.file.database import Database
from store.lake.notice import is_published, read_notice
from store.models import from_column
from tests.conftest import Program, wait_until
from tests.store.lake.recordings import in_lake
from tests.support.forwarder import Forwarder

SECOND = timedelta(seconds=1)


@pytest.fixture
def forwarder(place) -> Iterator[Forwarder]:
    """What stands between the publisher and the bucket."""
    forwarder = Forwarder(int(place.keys.endpoint.rpartition(":")[2]))
    yield forwarder
    forwarder.close()


@pytest.fixture
def settings(place, lake, forwarder, database_file, simulator, monkeypatch):
    """Settings of a recorder at 1 s that shares its file, with the keys of the bucket in the environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", place.keys.key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", place.keys.secret)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{forwarder.port}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    return {"database": database_file, "deribit_url": simulator.url, "indexes": "btc_usd", "lake": place.url}


def publishers(program: Program) -> list[psutil.Process]:
    children = psutil.Process(program.process.pid).children()
    return [child for child in children if "lake" in child.cmdline()]


def slots(database_file) -> list[int]:
    """The second of each stored tick, by the recorder's clock."""
    with Database(database_file).read() as cursor:
        found = cursor.execute("SELECT received_at FROM ticks WHERE resolution_s = 0 ORDER BY ALL").fetchall()
    return [int(from_column(at).timestamp()) for (at,) in found]


def shared(lake) -> int:
    return len(in_lake(lake, "ticks"))


def records_on(database_file, more: int = 4) -> None:
    """Wait until some more slots are stored."""
    enough = len(slots(database_file)) + more
    wait_until(lambda: len(slots(database_file)) >= enough)


def test_a_lake_that_hangs_and_a_catalog_that_is_away_cost_no_slot(settings, place, lake, forwarder, database_file):
    forwarder.hold()
    with Program("poller.__main__", **settings, poll_seconds=1) as program:
        wait_until(lambda: forwarder.connections, timeout_s=60)
        records_on(database_file)
        place.server.stop()
        try:
            records_on(database_file)
        finally:
            place.server.start()
        (publisher,) = publishers(program)
        publisher.kill()
        forwarder.forward()
        wait_until(lambda: shared(lake) > 8, timeout_s=60)
        records_on(database_file)
        code, _, logged = program.stop(signal.SIGTERM)

    found = slots(database_file)
    with Database(database_file).read() as cursor:
        misses = cursor.execute("SELECT * FROM misses").fetchall()
    assert (code, misses) == (0, []), logged
    assert found == list(range(found[0], found[-1] + 1))
    assert "the publisher ended, starting another one in 10 s: killed by SIGKILL" in logged
    assert place.keys.secret not in logged


def test_a_publisher_ends_with_a_recorder_that_was_killed(settings, forwarder, database_file):
    forwarder.hold()
    with Program("poller.__main__", **settings, poll_seconds=1) as program:
        wait_until(lambda: forwarder.connections, timeout_s=60)
        (publisher,) = publishers(program)

        program.process.kill()

        wait_until(lambda: not publisher.is_running())
    assert not is_published(database_file)


def test_a_recorder_takes_no_more_memory_beside_its_publisher(settings, lake, database_file, tmp_path):
    alone = settings | {"database": tmp_path / "alone.duckdb", "lake": ""}
    with (
        Program("poller.__main__", **settings, poll_seconds=1) as sharing,
        Program("poller.__main__", **alone, poll_seconds=1) as other,
    ):
        wait_until(lambda: shared(lake) > 0, timeout_s=60)
        records_on(database_file, 10)
        taken = [psutil.Process(each.process.pid).memory_info().rss / 1e6 for each in (sharing, other)]

    print(f"MB with a publisher: {taken[0]:.1f}, without: {taken[1]:.1f}")
    assert taken[0] < taken[1] + 5
    assert read_notice(database_file).shared_to is not None
