"""A file knows the exchange of its prices, and refuses the prices of another one."""

import duckdb
import pytest

from store.errors import ForeignExchangeError
from store.file import schema
from store.file.database import Database
from store.file.exchange import admit, exchange_of, refuse_another
from store.models import Exchange, Tick, to_column
from store.prices import ticks
from tests.conftest import START, tick

ALL = list(Exchange)


def noted(database: Database) -> Exchange | None:
    with database.read() as cursor:
        return exchange_of(cursor)


def admitted(database: Database, *exchanges: Exchange | None) -> None:
    with database.write() as cursor:
        for exchange in exchanges:
            admit(cursor, exchange, START)


@pytest.mark.parametrize("exchange", ALL)
def test_the_first_replies_decide_which_exchange_a_file_is_of(database: Database, exchange):
    admitted(database, None)
    before = noted(database)

    admitted(database, exchange, exchange, None)

    assert (before, noted(database)) == (None, exchange)
    with database.read() as cursor:
        assert cursor.execute("FROM exchange").fetchall() == [(exchange.name.lower(), START.replace(tzinfo=None))]


@pytest.mark.parametrize("access", [refuse_another, lambda cursor, exchange: admit(cursor, exchange, START)])
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in ALL for b in ALL if a is not b])
def test_replies_of_another_exchange_are_refused_in_one_line(database: Database, first, second, access):
    admitted(database, first)

    with pytest.raises(ForeignExchangeError) as refused, database.write() as cursor:
        access(cursor, second)

    assert str(refused.value) == (
        f"{database.path} has prices of {first}, the replies are of {second}: "
        "name another file in TICKWELL_DATABASE, or the right address in TICKWELL_DERIBIT_URL"
    )
    assert noted(database) is first


@pytest.mark.parametrize("exchange", [Exchange.REAL, Exchange.TEST])
def test_a_file_of_imported_prices_accepts_an_exchange_but_not_the_simulator(database: Database, exchange):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, source="import")])

    with pytest.raises(ForeignExchangeError, match="has prices that are not the simulator's, the"):
        admitted(database, Exchange.SIMULATOR)
    admitted(database, exchange)

    assert noted(database) is exchange


@pytest.mark.parametrize(
    ("found", "exchange"),
    [
        ([], None),
        ([tick(0, source="import")], None),
        ([tick(0)], Exchange.REAL),
        ([tick(0, source="chart", resolution_s=60)], Exchange.REAL),
        ([*(tick(number) for number in range(5)), tick(5, "old_usd", source="simulator")], Exchange.SIMULATOR),
    ],
    ids=["nothing", "imported", "live", "chart", "one tick of the simulator"],
)
def test_the_ticks_of_an_older_file_decide_whose_prices_it_has(
    database_file, found: list[Tick], exchange: Exchange | None
):
    with duckdb.connect(database_file) as connection:
        schema.migrate(connection, up_to=16)
        for each in found:
            row = [each.index_name, to_column(each.ts), each.price, each.source, each.resolution_s]
            connection.execute("INSERT INTO ticks VALUES (?, ?, NULL, ?, ?, ?)", row)

    Database(database_file).migrate()

    assert noted(Database(database_file)) is exchange
