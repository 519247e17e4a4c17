"""Prices of one exchange are not stored among those of another, where a file says whose it has."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from store.errors import FileError
from store.export.files import Exports
from store.export.query import ExportQuery
from store.file.database import Database
from store.file.exchange import admit, exchange_of
from store.models import Exchange, Source
from store.prices import candles, ticks
from tests.conftest import START, tick
from tests.store.histories import at
from tests.store.intake.test_kinds import imported, stored
from tests.support.foreign_files import written

MIX = r"a\.csv has prices of {whose}, and would mix them with those of another exchange in .*: name another file"


def noting(database: Database, exchange: Exchange) -> None:
    with database.write() as cursor:
        admit(cursor, exchange, START)


def noted(database: Database) -> Exchange | None:
    with database.read() as cursor:
        return exchange_of(cursor)


def exported(folder: Path, exchange: Exchange, source: Source, interval: timedelta) -> Path:
    database = Database(folder / "other.duckdb")
    database.migrate()
    with database.write() as cursor:
        admit(cursor, exchange, START)
        ticks.append(cursor, [tick(second, source=source) for second in range(1, 200, 7)])
        while candles.close(cursor, at(300)):
            pass
    query = ExportQuery(("btc_usd",), at(0), at(240), interval)
    return Exports(database, 10**9).make(query).path


def from_source(path: Path, *sources: str) -> Path:
    rows = [(at(1 + second).isoformat(), 90, "btc_usd", source) for second, source in enumerate(sources)]
    return written(path, "ts,price,index_name,source", *rows)


@pytest.mark.parametrize("exchange", [Exchange.REAL, Exchange.TEST])
@pytest.mark.parametrize("sources", [("simulator",), ("import", "simulator"), ("simulator", "live")])
def test_rows_of_the_simulator_are_not_stored_among_the_exchanges(database, tmp_path, exchange, sources):
    noting(database, exchange)

    with pytest.raises(FileError, match=r"a\.csv has prices of .*the simulator, and would mix them"):
        imported(database, from_source(tmp_path / "a.csv", *sources))

    assert stored(database) == []


def test_rows_of_the_simulator_are_not_stored_among_ticks_of_an_exchange_that_is_not_noted(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick()])

    with pytest.raises(FileError, match=MIX.format(whose="the simulator")):
        imported(database, from_source(tmp_path / "a.csv", "simulator"))

    assert len(stored(database)) == 1


@pytest.mark.parametrize("source", ["live", "chart"])
def test_rows_that_an_exchange_sent_are_not_stored_among_the_simulators(database, tmp_path, source):
    noting(database, Exchange.SIMULATOR)

    with pytest.raises(FileError, match=MIX.format(whose="Deribit or Deribit's test environment")):
        imported(database, from_source(tmp_path / "a.csv", "import", source))

    assert stored(database) == []


@pytest.mark.parametrize("exchange", [None, Exchange.REAL, Exchange.TEST])
def test_rows_that_an_exchange_sent_are_stored_in_any_exchanges_file(database, tmp_path, exchange):
    if exchange is not None:
        noting(database, exchange)

    assert imported(database, from_source(tmp_path / "a.csv", "live")).stored == 1
    assert noted(database) is exchange


def test_prices_of_whom_the_file_does_not_tell_are_stored_in_the_simulators_file(database, tmp_path):
    noting(database, Exchange.SIMULATOR)

    assert imported(database, from_source(tmp_path / "a.csv", "import")).stored == 1


@pytest.mark.parametrize("interval", [timedelta(0), timedelta(minutes=1)])
@pytest.mark.parametrize(("its", "source"), [(Exchange.TEST, "live"), (Exchange.SIMULATOR, "simulator")])
def test_an_export_in_parquet_tells_its_exchange_and_gives_it_to_an_empty_file(
    database, tmp_path, its, source, interval
):
    path = exported(tmp_path, its, source, interval)

    imported(database, path)

    assert noted(database) is its


@pytest.mark.parametrize("interval", [timedelta(0), timedelta(minutes=1)])
@pytest.mark.parametrize(("its", "source"), [(Exchange.TEST, "live"), (Exchange.SIMULATOR, "simulator")])
def test_an_export_in_parquet_is_not_stored_among_prices_of_another_exchange(database, tmp_path, its, source, interval):
    path = exported(tmp_path, its, source, interval)
    noting(database, Exchange.REAL)

    with pytest.raises(FileError, match=rf"has prices of {its}, and would mix them"):
        imported(database, path)

    assert stored(database) == []


@pytest.mark.parametrize("value", [b"\xff\xfe", b'"Binance"', b"null"])
def test_an_exchange_that_is_none_of_ours_tells_nothing(database, tmp_path, value):
    rows = pa.table({"index_name": ["btc_usd"], "ts": [at(1)], "price": [1.0]})
    pyarrow.parquet.write_table(rows.replace_schema_metadata({b"tickwell.exchange": value}), tmp_path / "a.parquet")
    noting(database, Exchange.SIMULATOR)

    assert imported(database, tmp_path / "a.parquet").stored == 1


def test_a_source_that_is_a_number_tells_nothing(database, tmp_path):
    rows = pa.table({"index_name": ["btc_usd"], "ts": [at(1)], "price": [1.0], "source": [7]})
    pyarrow.parquet.write_table(rows, tmp_path / "a.parquet")

    assert imported(database, tmp_path / "a.parquet").stored == 1
