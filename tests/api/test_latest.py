"""/prices/{ticker}/latest: kept while nobody writes, and never older than what is stored."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from api.served import Served
from store.file.database import Database
from tests.conftest import reads_of, tick
from tests.support.stored import append

from .conftest import SECOND


@pytest.fixture
def held(server, client, database, make_settings) -> Iterator[Database]:
    """A database that the server's process keeps open, with a tick of each index."""
    app, _ = server
    append(database, tick(), tick(index_name="eth_usd"))
    app.state.served = Served(make_settings(), database)
    with database.hold():
        yield database


def newest(client: httpx.Client, name: str = "btc_usd") -> int:
    return int(client.get(f"/prices/{name}/latest").raise_for_status().json()["timestamp"]) - SECOND * 1000


def test_while_nobody_writes_the_database_is_asked_no_more(client, held):
    before = newest(client), newest(client)
    reads = reads_of(held)

    answers = {newest(client) for _ in range(20)}

    assert (before, answers) == ((0, 0), {0})
    assert reads_of(held) == reads


def test_each_index_has_its_own_newest_price(client, held):
    append(held, tick(1), tick(2, "eth_usd"))

    assert [newest(client, name) for name in ("btc_usd", "eth_usd", "btc_usd", "eth_usd")] == [1000, 2000, 1000, 2000]


def test_a_tick_is_in_the_first_reply_after_its_write(client, held):
    for second in range(1, 30):
        append(held, tick(second))
        assert newest(client) == newest(client) == 1000 * second


def test_a_tick_of_another_process_is_in_the_first_reply_after_its_write(client, held):
    other = Database(held.path)
    for second in range(1, 6):
        newest(client)
        append(other, tick(second))
        assert newest(client) == newest(client) == 1000 * second


def test_a_file_that_is_not_held_is_asked_each_time(server, client, database):
    append(database, tick())
    newest(client)
    asked = server[0].state.served.database
    reads = reads_of(asked)

    newest(client)

    assert reads_of(asked) > reads


def test_many_clients_beside_a_recorder_never_see_an_older_price_than_was_stored_before(client, held):
    stored, stale = [0], []

    def read() -> None:
        with httpx.Client(base_url=client.base_url) as own:
            while stored[-1] < 100:
                at_least = stored[-1]
                if (found := newest(own)) < 1000 * at_least:
                    stale.append((found, at_least))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for second in range(1, 101):
        append(held, tick(second))
        stored.append(second)
    for reader in readers:
        reader.join()

    assert stale == []
    assert newest(client) == 100_000
