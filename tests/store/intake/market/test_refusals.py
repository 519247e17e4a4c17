"""A file with a row that can't be right is refused in one line, and nothing of it is stored."""

import re
from pathlib import Path

import pytest

from store.errors import FileError
from store.export.selection import columns_of
from store.file.database import Database
from store.intake.imports import look_at
from store.intake.rows.foreign import Columns
from store.kinds import FUTURES
from tests.conftest import START
from tests.support.foreign_files import nobody_listens, written

from .recorded import FEEDS, TABLES, altered, as_csv, digests, export, imported, record, rows

EVERY = sorted({table for tables in TABLES.values() for table in tables})


def without(column: str) -> str:
    return f"SELECT * EXCLUDE ({column}) FROM its"


def where(column: str, value: str) -> str:
    """The third row has another value in a column."""
    return (
        f"SELECT * EXCLUDE (number) REPLACE (CASE WHEN number = 3 THEN {value} ELSE {column} END AS {column}) "
        "FROM (SELECT *, row_number() OVER () AS number FROM its)"
    )


OF_OPTIONS = [
    ("underlying", "'btc'", "has btc: must be a currency as Deribit spells it, such as BTC"),
    ("underlying", "'USDC'", "has USDC: must be a currency as Deribit spells it, such as BTC"),
    ("underlying", "NULL", "has no value: must be there"),
    ("expiry", "NULL", "has no value: must be there"),
    ("expiry", "expiry + INTERVAL 1 HOUR", "must be 08:00 UTC of a day"),
    ("strike", "NULL", "has no value: must be there"),
    ("strike", "-strike", "must be a number above 0"),
    ("strike", "'Infinity'::DOUBLE", "has inf: must be a number"),
    ("option_type", "'C'", "has C: must be call or put"),
    ("ts", "NULL", "has no value: must be there"),
    ("ts", "TIMESTAMPTZ '1999-01-01 00:00:00Z'", "must be a time from the year 2000 to now"),
    ("ts", "TIMESTAMPTZ '2199-01-01 00:00:00Z'", "must be a time from the year 2000 to now"),
    ("mark_price", "NULL", "has no value: must be there"),
    ("mark_price", "-0.5", "has -0.5: must be 0 or more"),
    ("mark_iv", "'NaN'::DOUBLE", "has nan: must be a number"),
    ("open_interest", "-1", "has -1.0: must be 0 or more"),
    ("received_at", "NULL", "has no value: must be there"),
    ("source", "'deribit'", "has deribit: must be live, chart, import or simulator"),
    ("rows", "NULL", "has no value: must be there"),
    ("rows", "0", "has 0: must be a whole number from 1 to 100,000"),
    ("rejected", "-1", "has -1: must be 0 or more"),
    ("index_price", "0", "has 0.0: must be a number above 0"),
    ("received_at", "TIMESTAMPTZ '250000-01-01 00:00:00Z'", "must be a time from 1970 to 2199"),
    ("volume", "1.7e308", "has 1.7e+308: must be a number below 1e15"),
    ("volume_usd", "-1e15", "must be a number below 1e15"),
]

OF_OTHERS = [
    ("futures/BTC", "instrument_name", "'btc-perpetual'", "has btc-perpetual: must be a future as Deribit spells it"),
    ("futures/BTC", "instrument_name", "'ETH-PERPETUAL'", "has ETH-PERPETUAL: must be a future of its currency"),
    ("futures/BTC", "expiry", "NULL", "has no value: must be empty for a perpetual alone"),
    ("futures/BTC", "resolution_s", "NULL", "has no value: must be there"),
    ("futures/BTC", "expiry", "expiry + INTERVAL 7 DAYS", "must be the day in the name of its future"),
    ("futures/BTC", "resolution_s", "-60", "has -60: must be 0, 60 or 86400"),
    ("futures/BTC", "resolution_s", "3600", "has 3600: must be 0, 60 or 86400"),
    ("futures/BTC", "mark_price", "NULL", "has no value: must be a number above 0"),
    ("futures/BTC", "funding_8h", "2", "has 2.0: must be a fraction from -1 to 1"),
    ("dvol/BTC", "currency", "'BTC/USD'", "has BTC/USD: must be a currency as Deribit spells it"),
    ("dvol/BTC", "resolution_s", "61", "has 61: must be 60, 3600 or 86400"),
    ("dvol/BTC", "open_time", "open_time + INTERVAL 1 SECOND", "must be a multiple of resolution_s"),
    ("dvol/BTC", "high", "NULL", "has no value: must be there"),
    ("dvol/BTC", "high", "1", "has 1.0: must be at least open and close"),
    ("dvol/BTC", "low", "99", "has 99.0: must be at most open and close"),
    ("dvol/BTC", "low", "-1", "has -1.0: must be a number above 0"),
    ("funding/BTC-PERPETUAL", "instrument_name", "'BTC-25DEC26'", "has BTC-25DEC26: must be a perpetual as Deribit"),
    ("funding/BTC-PERPETUAL", "interest_1h", "-1.5", "has -1.5: must be a fraction from -1 to 1"),
    ("deliveries/btc_usd", "index_name", "'BTC_USD'", "has BTC_USD: must be an index name as Deribit spells it"),
    ("deliveries/btc_usd", "price", "0", "has 0.0: must be a number above 0"),
    ("deliveries/btc_usd", "price", "NULL", "has no value: must be there"),
]


def expect_refused(database: Database, path: Path, says: str) -> None:
    with pytest.raises(FileError, match=re.escape(says)) as refused:
        imported(database, path)

    assert "\n" not in str(refused.value)
    assert str(path) in str(refused.value)
    assert rows(database, "FROM imports") == []
    assert {count for count, _ in digests(database, *EVERY).values()} == {0}


@pytest.mark.parametrize(("column", "value", "says"), OF_OPTIONS)
def test_a_value_that_no_chain_has_refuses_the_file(source: Database, empty: Database, column, value, says):
    path = altered(export(source, "options/BTC"), where(column, value))

    expect_refused(empty, path, says)
    expect_refused(empty, path, f"{path}: row 3, column '{column}' has ")


@pytest.mark.parametrize(("feed", "column", "value", "says"), OF_OTHERS)
def test_a_value_that_no_row_of_another_kind_has_refuses_the_file(
    source: Database, empty: Database, feed, column, value, says
):
    path = altered(export(source, feed), where(column, value))

    expect_refused(empty, path, says)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("ts: 'yesterday'", "row 3, column 'ts' has yesterday: must be a time such as 2026-11-01T12:00:00Z"),
        ("strike: '9e'", "row 3, column 'strike' has 9e: must be a number"),
        ("rows: '10.5'", "row 3, column 'rows' has 10.5: must be a whole number"),
        ("last: 'n/a'", "row 3, column 'last' has n/a: must be a number"),
    ],
)
def test_a_text_that_can_t_be_read_refuses_the_file(source: Database, empty: Database, value: str, says: str):
    column, _, text = value.partition(": ")
    query = where(column, text).replace(f"ELSE {column} END", f"ELSE {column}::VARCHAR END")

    expect_refused(empty, as_csv(export(source, "options/BTC"), query), says)


@pytest.mark.parametrize("feed", [feed for feed in FEEDS if not feed.startswith("deliveries")])
def test_a_file_without_a_column_of_an_export_is_refused(source: Database, empty: Database, feed: str):
    path = export(source, feed)
    kind = feed.partition("/")[0]
    for (column,) in rows(source, f"SELECT name FROM (DESCRIBE FROM '{path}') AS d(name, t, n, k, f, e)"):
        says = f"lacks the column '{column}', which an export of {kind} has: export it anew; it has "
        expect_refused(empty, altered(path, without(column)), says)


@pytest.mark.parametrize("feed", ["smiles/BTC", "surfaces/BTC"])
def test_what_is_made_of_options_is_not_imported(source: Database, empty: Database, feed: str):
    kind = feed.partition("/")[0]

    expect_refused(empty, export(source, feed), f"has {kind}, which are made of options: import the options, and the")


def test_an_excel_file_is_refused_because_its_times_are_cut(source: Database, empty: Database):
    expect_refused(empty, export(source, "futures/BTC", "xlsx"), "Excel cuts times to milliseconds: export Parquet or")


def test_a_torn_line_refuses_the_file(source: Database, empty: Database):
    path = as_csv(export(source, "dvol/BTC"), "FROM its")
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], lines[3].rpartition(",")[0] + "\n", *lines[4:]]))

    expect_refused(empty, path, "line 4: missing columns: ")


def test_a_text_that_is_cut_is_refused(source: Database, empty: Database):
    path = as_csv(export(source, "dvol/BTC"), "FROM its")
    path.write_text(path.read_text()[:-1])

    expect_refused(empty, path, "is cut: its last line has no line end; get the file anew")


def test_prices_of_another_exchange_are_refused(source: Database, database: Database, empty: Database):
    record(database, range(20))
    with database.write() as cursor:
        cursor.execute("UPDATE exchange SET name = 'real'")
    for path in (export(source, "options/BTC"), export(source, "dvol/BTC", "csv")):
        with pytest.raises(FileError, match="has prices of the simulator, and would mix them with those of another"):
            imported(database, path)

    assert digests(database, "options", "snapshots")["options"] == (0, 0)


def test_a_snapshot_of_which_the_file_lacks_rows_is_left_out(source: Database, empty: Database):
    first = f"ts = TIMESTAMPTZ '{START.isoformat()}'"
    path = altered(export(source, "options/BTC"), f"FROM its WHERE NOT ({first} AND strike > 90000)")

    (made,) = imported(empty, path)

    assert (made.done.snapshots, made.done.cut_snapshots) == (2, 1)
    assert made.done.cut == rows(empty, f"SELECT count(*) FROM '{path}' WHERE {first}")[0][0]
    assert rows(empty, "SELECT count(DISTINCT ts) FROM options") == [(2,)]


@pytest.mark.parametrize(
    "query", ["FROM its UNION ALL FROM its", where("rejected", "7"), where("strike", "strike + 0.5 - 0.5 + 1e9")]
)
def test_a_snapshot_with_rows_that_do_not_belong_together_is_left_out(source: Database, empty: Database, query: str):
    (made,) = imported(empty, altered(export(source, "options/BTC"), query))

    assert made.done.cut_snapshots == {"FROM its UNION ALL FROM its": 3}.get(query, 1) - ("1e9" in query)


def test_columns_may_stand_in_any_order_and_others_are_passed_over(source: Database, empty: Database):
    columns = [column.name for column in columns_of(FUTURES)]
    path = altered(
        export(source, "futures/BTC"),
        f"SELECT 1 AS mine, {', '.join(sorted(columns, reverse=True))} FROM its ORDER BY random()",
    )

    (made,) = imported(empty, path)

    assert digests(empty, "futures") == digests(source, "futures")
    assert made.done.cut == 0


def test_candles_of_a_day_are_left_out_and_counted(source: Database, empty: Database):
    day = "SELECT * REPLACE (86400 AS resolution_s, NULL AS mark_price) FROM its WHERE resolution_s = 60"
    (made,) = imported(empty, altered(export(source, "futures/BTC"), f"FROM its UNION ALL {day}"))

    assert (made.days, made.done.cut) == (1, 0)
    assert digests(empty, "futures") == digests(source, "futures")


@pytest.mark.parametrize(("more", "second"), [((), "00.5"), (("received_at",), "00")])
def test_prices_with_the_columns_of_deliveries_are_prices(
    empty: Database, tmp_path: Path, more: tuple[str, ...], second: str
):
    times = [f"2026-11-0{day}T08:00:{second}Z" for day in (1, 2, 3)]
    path = written(
        tmp_path / "prices.csv",
        ",".join(("index_name", "ts", "price", "source", *more)),
        *(("btc_usd", at, 100.5, "mine", *(at for _ in more)) for at in times),
    )

    (look,) = look_at(empty, [path], Columns(), nobody_listens)

    assert [each.rows for each in look.instruments] == [3]


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("mark_price", "true", "has true: must be a number"),
        ("received_at", "TIMESTAMP 'infinity'", "has infinity: must be a time from 1970 to 2199"),
        ("received_at", "TIMESTAMP '-infinity'", "has -infinity: must be a time from 1970 to 2199"),
        ("expiry", "TIMESTAMP 'infinity'", "has infinity: must be a time from 1970 to 2199"),
    ],
)
def test_a_column_of_another_type_refuses_the_file(source: Database, empty: Database, column, value, says):
    """DuckDB would read true as 1."""
    path = altered(export(source, "options/BTC"), f"SELECT * REPLACE ({value} AS {column}) FROM its")

    expect_refused(empty, path, f"row 1, column '{column}' {says}")


def test_a_look_says_what_is_in_a_file(source: Database, empty: Database):
    (look,) = look_at(empty, [export(source, "dvol/BTC")], Columns(), nobody_listens)

    assert str(look).splitlines()[1:] == ["  dvol/BTC: rows 19, 2026-11-01 12:00:00 to 2026-11-01 12:19:00 UTC"]
    assert rows(empty, "FROM imports") == []


@pytest.mark.parametrize(
    ("feed", "columns"),
    [
        ("deliveries/btc_usd", Columns(resolution_s=0)),
        ("options/BTC", Columns(price="index_price", index_name="btc_usd", resolution_s=0)),
    ],
)
def test_what_the_user_says_of_prices_makes_a_file_one_of_prices(
    source: Database, empty: Database, feed: str, columns: Columns
):
    (look,) = look_at(empty, [export(source, feed)], columns, nobody_listens)

    assert [each.index_name for each in look.instruments] == ["btc_usd"]


def test_options_for_prices_take_no_price_from_an_exported_market_that_the_user_does_not_name(
    source: Database, empty: Database
):
    path = export(source, "options/BTC")

    with pytest.raises(
        FileError, match="has options, as export writes them: leave out the flags that say how prices are read"
    ):
        list(look_at(empty, [path], Columns(index_name="btc_usd"), nobody_listens))
