"""Exports of a market end honestly, and say what is missing and how derived rows were made."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from store.errors import FileError
from store.export import tardis
from store.export.files import Export, Exports, manifest_of
from store.export.query import ExportQuery, Format
from store.export.survey import estimate
from store.export.verify import faults_of_export
from store.file.database import Database
from store.file.exchange import admit
from store.kinds import KINDS, SMILES, SURFACES, VOLATILITY_INDEX, Kind
from store.ledger import runs
from store.market.entries import EntriesOf
from store.market.instruments import Option, option_name
from store.market.surface import METHOD
from store.models import Cause, Exchange, Miss, to_column
from tests.conftest import START
from tests.store.intake.market.recorded import CHAINS, END, HOUR, MINUTE, heal_by_trades, imported, record

FEEDS = {
    "options": "options/BTC",
    "futures": "futures/BTC",
    "dvol": "dvol/BTC",
    "funding": "funding/BTC-PERPETUAL",
    "deliveries": "deliveries/btc_usd",
    "smiles": "smiles/BTC",
    "surfaces": "surfaces/BTC",
}


@pytest.fixture
def recorded(database: Database) -> Database:
    """A run of 20 minutes: the minutes 5 and 7 are missing."""
    record(database, {5, 7})
    return database


def exported(database: Database, feed: str, end: datetime = END, start: datetime = START - 1000 * HOUR) -> Export:
    return Exports(database, 10**9).make(ExportQuery((feed,), start, end))


def rows(made: Export) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pq.read_table(made.path).to_pylist()
    return found


def test_each_kind_is_exported_here():
    assert {kind.name for kind in KINDS if kind.name} == FEEDS.keys()


@pytest.mark.parametrize("name", ["options", "futures", "dvol", "smiles", "surfaces"])
def test_nothing_that_comes_later_changes_what_ended_before(database: Database, name: str):
    feed = FEEDS[name]
    record(database, set(range(10, 20)))
    end = START + 9 * MINUTE + timedelta(seconds=30)
    before = exported(database, feed, end)

    with database.write() as cursor:
        cursor.execute("DELETE FROM misses")
    record(database, set(range(10)))
    heal_by_trades(database, [9])

    after = exported(database, feed, end)
    assert rows(after) == rows(before)


def test_a_candle_of_dvol_that_is_not_over_at_the_end_is_left_out(recorded: Database):
    end = START + 10 * MINUTE + timedelta(seconds=59)

    found = rows(made := exported(recorded, "dvol/BTC", end))

    assert [(row["open_time"], row["resolution_s"]) for row in found] == [
        (START + minute * MINUTE, 60) for minute in range(10) if minute not in {5, 7}
    ]
    with recorded.read() as cursor:
        assert estimate(cursor, made.query).rows == made.rows == 8


def test_a_trade_of_a_minute_that_is_not_over_at_the_end_is_left_out(recorded: Database):
    heal_by_trades(recorded, [5, 7])

    found = rows(exported(recorded, "futures/BTC", START + 7 * MINUTE + timedelta(seconds=59)))

    assert [row["ts"] for row in found if row["resolution_s"]] == [START + 5 * MINUTE]


def test_missing_slots_are_told_by_cause(recorded: Database):
    with recorded.write() as cursor:
        cursor.execute("DELETE FROM misses")
        runs.append_misses(cursor, [Miss(START + 5 * MINUTE, "futures/BTC", Cause.EXCHANGE_ERROR, "busy", 10041)])

    manifest = exported(recorded, "futures/BTC").manifest

    its = manifest["coverage"]["futures/BTC"]
    assert its["due"] == its["live"] + its["missing"] == 20
    assert sum(its["causes"].values()) == its["missing"] == 2
    assert manifest["snapshots"] == {"futures/BTC": 18}


@pytest.mark.parametrize(("kind", "count"), [(SMILES, None), (SURFACES, len(CHAINS) - 1)])
def test_derived_rows_say_their_methods_and_formulas(recorded: Database, kind: Kind, count: int | None):
    manifest = exported(recorded, f"{kind.name}/BTC").manifest

    assert manifest["methods"] == {str(METHOD): count or manifest["rows"]}
    told = Counter(name for each in manifest["formulas"] for name in each["number"].split(", "))
    computed = {column.name for column in kind.columns if column.type == "DOUBLE"} - {"index_price"}
    assert told == Counter(computed)
    assert manifest["coverage"]["options/BTC"]["missing"] == 1
    assert "formulas" not in exported(recorded, "options/BTC").manifest


def test_rows_of_two_methods_are_counted_apart(recorded: Database):
    with recorded.write() as cursor:
        cursor.execute("UPDATE surfaces SET method = 99 WHERE ts = (SELECT min(ts) FROM surfaces)")

    assert exported(recorded, "surfaces/BTC").manifest["methods"] == {str(METHOD): 2, "99": 1}


@pytest.fixture
def as_tardis(recorded: Database) -> ExportQuery:
    return ExportQuery(("options/BTC",), START, END, columns="tardis")


def test_options_have_the_columns_of_tardis_if_these_are_asked_for(recorded: Database, as_tardis: ExportQuery):
    own, made = exported(recorded, "options/BTC"), Exports(recorded, 10**9).make(as_tardis)

    expected = pd.read_parquet(own.path)
    options = [
        Option(*row) for row in expected[["underlying", "expiry", "strike", "option_type"]].itertuples(index=False)
    ]
    times = {"timestamp": "ts", "local_timestamp": "received_at", "expiration": "expiry"}
    same = ["open_interest", "bid_price", "ask_price", "mark_price", "mark_iv", "underlying_price"]
    columns = {
        "exchange": "deribit-simulator",
        "symbol": list(map(option_name, options)),
        **{name: expected[of].astype("datetime64[us, UTC]").astype("int64") for name, of in times.items()},
        "type": expected["option_type"],
        "strike_price": expected["strike"],
        "last_price": expected["last"],
        **{name: expected[name] for name in same},
    }
    found = pd.read_parquet(made.path)
    pd.testing.assert_frame_equal(found, pd.DataFrame(columns)[list(found)], check_dtype=False)
    assert ",".join(map(str, found)) == (
        "exchange,symbol,timestamp,local_timestamp,type,strike_price,expiration,open_interest,last_price,"
        "bid_price,ask_price,mark_price,mark_iv,underlying_price"
    )
    assert made.query.file_name == "BTC-options-tardis-20261101T120000Z-20261101T122000Z.parquet"
    assert (made.manifest["columns"], made.manifest["units"]["timestamp"]) == ("tardis", "us since 1970")


def test_a_file_for_programs_of_tardis_is_verified_and_not_imported(recorded: Database, as_tardis: ExportQuery):
    for form in ("parquet", "csv"):
        made = Exports(recorded, 10**9).make(replace(as_tardis, format=form))

        assert list(faults_of_export(made.path, "256MB")) == []
        manifest_of(made.path).write_text(json.dumps(made.manifest | {"first": END.isoformat()}))
        assert [fault.partition(" has ")[0] for fault in faults_of_export(made.path, "256MB")] == [made.path.name]
        with pytest.raises(FileError, match="has options in the columns of Tardis: export them in their own columns"):
            imported(recorded, made.path)


@pytest.mark.parametrize(("feed", "form"), [("futures/BTC", "parquet"), ("options/BTC", "xlsx")])
def test_other_rows_and_excel_have_no_columns_of_tardis(feed: str, form: Format):
    query = ExportQuery((feed,), START, END, format=form, columns="tardis")

    assert query.refusal == "the columns of Tardis are those of options, as Parquet or CSV"


@pytest.mark.parametrize(
    ("exchange", "name"), [(None, "deribit"), (Exchange.REAL, "deribit"), (Exchange.TEST, "deribit-test")]
)
def test_made_up_options_never_pass_for_real_ones(exchange: Exchange | None, name: str):
    assert tardis.EXCHANGES[exchange] == name != tardis.EXCHANGES[Exchange.SIMULATOR]


@pytest.mark.parametrize("strike", [0.5, 2.1, 90_000.0, 1_000_000.0, 0.0125])
def test_the_symbol_is_the_name_of_the_option(strike: float):
    option = Option("XRP_USDC", START.replace(hour=8), strike, "put")
    rows = "SELECT ? AS underlying, ?::TIMESTAMP AS expiry, ? AS strike, ? AS option_type"
    statement = tardis.renamed(f"FROM ({rows})").partition(" AS symbol")[0].rpartition("$exchange AS exchange, ")[2]

    with duckdb.connect() as connection:
        ((found,),) = connection.execute(
            f"SELECT {statement} FROM ({rows})", [option.underlying, to_column(option.expiry), strike, "put"]
        ).fetchall()

    assert found == option_name(option)


@pytest.mark.parametrize(("name", "feed"), FEEDS.items())
def test_a_file_has_the_name_of_its_series(recorded: Database, name: str, feed: str):
    end = feed.partition("/")[2]

    assert exported(recorded, feed, start=START).query.file_name == (
        f"{end}-{name}-20261101T120000Z-20261101T122000Z.parquet"
    )


def test_a_day_candle_is_there_once_the_day_is_over(database: Database):
    midnight = START.replace(hour=0)
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, START)
        EntriesOf(VOLATILITY_INDEX, "BTC", 86_400).append(cursor, [(midnight, 40.0, 41.0, 39.0, 40.5)])

    ends = [midnight + timedelta(days=1), midnight + timedelta(days=1) - timedelta(microseconds=1)]
    assert [len(rows(exported(database, "dvol/BTC", end))) for end in ends] == [1, 0]
