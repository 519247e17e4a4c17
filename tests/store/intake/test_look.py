"""An import looks first: it says how it reads a file and how that joins what is stored, and asks where it must."""

import gzip
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.errors import FileError
from store.export.files import Exports
from store.export.query import ExportQuery
from store.file.database import Database
from store.intake.imports import import_files, look_at
from store.intake.look import Look
from store.intake.rows.foreign import Columns
from store.intake.rows.work import Limits
from store.models import utc_now
from store.prices import candles, ticks
from store.prices.bars import SINGLE_TICKS
from tests.conftest import START, tick
from tests.store.histories import at
from tests.store.intake.test_kinds import BEGIN, BTC, KINDS, OHLC, TICKS, imported, in_zip, iso, lines, stored
from tests.support.foreign_files import nobody_listens, parquet, ready_in, ticks_of, written


def look(database: Database, path: Path, **columns: Any) -> Look:
    (found,) = look_at(database, [path], Columns(**columns), nobody_listens)
    return found


def refusal(database: Database, path: Path, **columns: Any) -> str:
    with pytest.raises(FileError) as refused:
        imported(database, path, **columns)
    assert "\n" not in str(refused.value)
    assert stored(database) == []
    return str(refused.value)


def with_bits(content: bytes, *changes: tuple[int, int]) -> bytes:
    """A content with some bits set."""
    changed = bytearray(content)
    for place, bits in changes:
        changed[place] |= bits
    return bytes(changed)


def text(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


# What it says


def test_a_look_says_how_a_file_is_read_and_stores_nothing(database, tmp_path):
    path = tmp_path / "prices.csv.gz"
    rows = lines(lambda ts: f"{ts:%d.%m.%Y %H:%M}", header="Zeit;Kurs", separator=";", price=lambda it: f"{it:,}")
    path.write_bytes(gzip.compress(("Kurse\n" + rows.replace(",", "'") + "morgen;viel\n").encode("utf-16")))

    found = look(database, path, time="Zeit", price="Kurs", resolution_s=0, **BTC)

    assert str(found).splitlines() == [
        f"{path}: text in UTF-16, packed by gzip, separated by semicolons, names in line 2",
        "  time: column 'Zeit', dates with the day first",
        "  price: column 'Kurs', decimal points and \"'\" between thousands",
        "  index: btc_usd, as you say",
        "  btc_usd: rows 5, 2026-03-14 15:09:00 to 2026-03-14 15:13:00 UTC, first price 42,000.50, last 42,003.00",
        "  bad rows: 1, for example",
        "    time is missing or unreadable: morgen, viel",
    ]
    assert stored(database) == []
    assert [each.name for each in tmp_path.iterdir() if "bad-rows" in each.name] == []


def test_a_look_at_candles_says_how_long_they_are_and_when_their_close_counts(database, tmp_path):
    (own,) = [kind for kind in KINDS if kind.name == "Tickwell's own candles"]
    path = tmp_path / "a.csv"
    path.write_bytes(own.bytes)

    found = look(database, path)

    assert found.candles == "candles of 1 min: each close is stored as the price at the candle's end"


def test_a_look_works_before_there_is_a_database(database_file, tmp_path):
    path = text(tmp_path / "a.csv", lines(iso))

    found = look(Database(database_file), path, **BTC)

    assert (found.instruments[0].rows, found.joins) == (5, ())
    assert not database_file.exists()


def test_times_that_lost_their_digits_are_named(database, tmp_path):
    path = text(tmp_path / "a.csv", "ts,price\n1.70407E+12,42000.5\n1.70407E+12,42001.5\n")

    found = look(database, path, **BTC)

    assert found.columns[0] == (
        "time: column 'ts', milliseconds since 1970, some without all digits, such as 1.70407E+12"
    )
    assert found.bad == 2


def test_examples_of_bad_rows_are_printable_and_short(database, tmp_path):
    path = written(tmp_path / "a.csv", "ts,price,index_name", (iso(BEGIN), "\x1b[31m" + 200 * "x", "btc_usd"))

    found = look(database, path)

    assert found.examples == (f"price is missing or not a number: {iso(BEGIN)}, ?[31m{33 * 'x'}…",)


def test_an_instrument_that_the_file_names_is_told_beside_the_index_that_the_user_names(database, tmp_path):
    path = text(tmp_path / "a.csv", lines(lambda ts: f"BTCUSDT,{iso(ts)}", header="pair,ts,price") + "pair,ts,price\n")

    found = look(database, path, **BTC)

    assert (found.columns[-1], found.bad) == ("index: btc_usd, as you say; column 'pair' has BTCUSDT", 1)


# How it joins what is stored


def test_a_step_at_an_edge_and_an_overlap_are_told(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(second, price=100) for second in [*range(0, 7200, 60), 40_000]])
        while candles.close(cursor, at(50_000)):
            pass
    path = written(
        tmp_path / "a.csv", "ts,price", *((at(second).isoformat(), 101) for second in range(-3600, 90_000_0, 3600))
    )

    (join,) = look(database, path, resolution_s=0, **BTC).joins

    assert join == ("btc_usd differs from stored prices by +1.00% at the start; about 120 ticks are stored in its time")


def test_prices_far_from_each_other_in_time_are_not_compared(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, price=100)])

    assert look(database, text(tmp_path / "a.csv", lines(iso)), **BTC).joins == ()


@pytest.mark.parametrize("days", [0, 2])
def test_a_step_by_a_power_of_ten_is_refused_unless_the_user_is_sure(database, tmp_path, days):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, price=42_000), tick(7200, price=42_000)])
        while candles.close(cursor, at(50_000)):
            pass
    path = written(
        tmp_path / "a.csv",
        "ts,price",
        *((at(second).isoformat(), 42.1) for second in range(60 - 86_400 * days, 86_400 * days + 120, 60)),
    )
    says = "its price of btc_usd is 42.1000 where 42,000.00 is stored, a step by a power of ten"

    assert look(database, path, resolution_s=0, **BTC).joins[-1] == says
    with pytest.raises(FileError, match=says):
        imported(database, path, resolution_s=0, **BTC)
    columns = Columns(index_name="btc_usd", resolution_s=0)
    (sure,) = import_files(database, [path], columns, nobody_listens, sure=True)

    assert sure.stored > 0


def test_a_file_that_has_nothing_where_something_is_stored_joins_nothing(database, tmp_path):
    with database.write() as cursor:
        ticks.append(cursor, [tick(0, price=100), tick(7200, price=100)])
        while candles.close(cursor, at(50_000)):
            pass
    far = timedelta(days=5)
    path = written(tmp_path / "a.csv", "ts,price", ((START - far).isoformat(), 1), ((START + far).isoformat(), 1))

    assert look(database, path, resolution_s=0, **BTC).joins == ()


# What we write


@pytest.mark.parametrize("interval", [SINGLE_TICKS, timedelta(minutes=1)])
@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx"])
def test_our_own_exports_are_read_again(database, tmp_path, kind, interval):
    with database.write() as cursor:
        ticks.append(cursor, [tick(second, price=100 + second) for second in range(0, 300, 20)])
        while candles.close(cursor, at(300)):
            pass
    made = Exports(database, 10**9).make(ExportQuery(("btc_usd",), at(0), at(240), interval, format=kind))

    file = ready_in(made.path, tmp_path, Columns())

    expected = [(at(second), 100 + second) for second in range(0, 240, 20)]
    closes = [(at(second), 80 + second) for second in (60, 120, 180, 240)]
    assert ticks_of(file) == (closes if interval else expected)


# What it asks


def test_the_decimal_sign_and_the_order_of_dates_are_taken_from_the_user(database, tmp_path):
    path = text(tmp_path / "a.csv", "ts;price\n3/4/2026 10:00;42.000\n")

    imported(database, path, point=",", order="mdy", **BTC)

    ((ts, price),) = stored(database)
    assert (f"{ts:%Y-%m-%d %H:%M}", price) == ("2026-03-04 10:00", 42_000)


def test_a_day_above_12_anywhere_in_the_file_tells_the_order_of_all_dates(database, tmp_path):
    early = "".join(
        f"0{1 + number % 9}/04/2026 10:{number % 60:02}:{number // 60 % 60:02},1\n" for number in range(3000)
    )
    path = text(tmp_path / "a.csv", f"ts,price\n{early}13/04/2026 10:00:00,7\n")

    assert look(database, path, **BTC).columns[0] == "time: column 'ts', dates with the day first"


def test_a_few_damaged_values_do_not_tell_how_all_others_are_read(database, tmp_path):
    prices = text(tmp_path / "a.csv", "ts;price\n" + 300 * f"{iso(BEGIN)};42,000\n" + f"{iso(BEGIN)};42,5\n")
    dates = text(tmp_path / "b.csv", "ts,price\n13/04/2026 10:00,1\n04/13/2026 10:00,1\n")
    days = text(tmp_path / "c.csv", "ts,price\n03/04/2026 10:00,1\n03/44/2026 10:00,1\n")

    assert "Say --decimal . or --decimal ," in refusal(database, prices, **BTC)
    assert "Say --dates dmy or --dates mdy" in refusal(database, dates, **BTC)
    assert "Say --dates dmy or --dates mdy" in refusal(database, days, **BTC)


@pytest.mark.parametrize(
    ("rows", "columns", "says"),
    [
        ("time,price\n10:00:00,1\n", {}, "its column 'time' has times without a day; name another with --time"),
        (f"ts,{OHLC}\n2026-01-01,1,3,1,2\n", {}, "how long is a candle? Its times don't tell; say --candle, such as"),
        (
            f"ts,{OHLC}\n2026-01-01,1,3,1,2\n2026-02-01,1,3,1,2\n2026-03-01,1,3,1,2\n",
            {},
            "how long is a candle? Its times don't tell; say --candle, such as",
        ),
        ("1772000000,7,9,6,8\n1772000060,7,9,6,8\n", {"time": "column0", "price": "column1"}, "say --price column4"),
        (f"date,{OHLC}\n2026-01-01,1,3,1,2\n", {"like": "tickwell"}, "is not like tickwell: it has no open_time"),
    ],
)
def test_a_file_that_does_not_tell_is_refused_with_the_option(database, tmp_path, rows, columns, says):
    assert says in refusal(database, text(tmp_path / "a.csv", rows), **BTC, **columns)


# Candles


def own_candles(path: Path, *resolutions: int) -> Path:
    rows = [("btc_usd", at(3600 * place).isoformat(), 1, 9, 1, 5, over_s) for place, over_s in enumerate(resolutions)]
    return written(path, "index_name,open_time,open,high,low,close,resolution_s", *rows)


def test_a_close_is_stored_at_its_candles_end_whatever_columns_the_user_names(database, tmp_path):
    imported(database, own_candles(tmp_path / "a.csv", 0, 0), time="open_time", price="close")

    assert stored(database) == [(at(3600), 5), (at(7200), 5)]


def test_a_candle_with_averages_is_a_bad_row(database, tmp_path):
    result = imported(database, own_candles(tmp_path / "a.csv", 0, 60, 0))

    assert (result.stored, result.bad) == (2, 1)
    assert result.examples[0].startswith("the candle has averages in it, so its close may be one: btc_usd, ")


def test_the_user_may_say_that_closes_are_averages(database, tmp_path):
    path = own_candles(tmp_path / "a.csv", 0, 0)

    imported(database, path, time="open_time", price="close", resolution_s=3600)

    with database.read() as cursor:
        assert cursor.execute("SELECT ts, resolution_s FROM ticks ORDER BY ts").fetchall() == [
            (at(0).replace(tzinfo=None), 3600),
            (at(3600).replace(tzinfo=None), 3600),
        ]


def test_a_candle_that_is_not_over_is_a_bad_row(database, tmp_path):
    soon = utc_now() - timedelta(minutes=59, seconds=50)
    rows = [((soon - timedelta(hours=back)).isoformat(), 1, 3, 1, 2) for back in (2, 1, 0)]

    result = imported(database, written(tmp_path / "a.csv", f"ts,{OHLC}", *rows), **BTC)

    assert (result.stored, result.bad) == (2, 1)
    assert result.examples[0].startswith("the candle is not over")


def test_a_time_when_the_candle_closed_is_taken_as_it_is(database, tmp_path):
    path = written(tmp_path / "a.csv", f"close_time,{OHLC}", (iso(BEGIN), 1, 3, 1, 2))

    imported(database, path, **BTC)

    assert stored(database) == [(BEGIN, 2)]


def test_candles_in_a_parquet_file_are_candles_too(database, tmp_path):
    path = parquet(
        tmp_path / "a.parquet",
        "SELECT TIMESTAMP '2026-11-01 12:00:00' + to_hours(i) AS ts, 1 AS open, 3 AS high, 1 AS low, 2.0 AS close "
        "FROM range(2) AS rows(i)",
    )

    imported(database, path, **BTC)

    assert stored(database) == [(at(3600), 2), (at(7200), 2)]


# What is no table


def test_a_damaged_or_strange_file_is_refused_in_one_line(database, tmp_path):
    whole = gzip.compress(lines(iso).encode())
    odd = tmp_path / "odd.ods"
    with zipfile.ZipFile(odd, "w") as archive:
        archive.writestr("content.xml", "")
    packed = lines(iso).encode()
    for _ in range(4):
        packed = gzip.compress(packed)
    (tmp_path / "one.gz").write_bytes(whole[:-8] + bytes(8))
    (tmp_path / "bits.gz").write_bytes(whole[:30] + bytes(20) + whole[50:])
    (tmp_path / "far.zip").write_bytes(with_bits(in_zip("a.csv"), (-3, 1)))  # the place of its list of files
    (tmp_path / "locked.zip").write_bytes(with_bits(in_zip("a.csv"), (6, 1), (in_zip("a.csv").rfind(b"PK\1\2") + 8, 1)))
    (tmp_path / "four.gz").write_bytes(packed)
    (tmp_path / "picture").write_bytes(b"\x89PNG" + bytes(100) + b"\x01\x02" * 200)

    for name in ("one.gz", "bits.gz", "far.zip"):
        says = f"{tmp_path / name} is damaged, and may be cut: get the file anew"
        assert refusal(database, tmp_path / name, **BTC) == says
    assert refusal(database, tmp_path / "locked.zip", **BTC) == (
        f"{tmp_path / 'locked.zip'} has a password, or a packing that is not read: unpack it"
    )
    assert "is packed 3 times and more: unpack it" in refusal(database, tmp_path / "four.gz", **BTC)
    assert "is an OpenDocument file: save it as .xlsx or CSV" in refusal(database, odd, **BTC)
    assert "is neither Parquet nor Excel nor a text such as CSV" in refusal(database, tmp_path / "picture", **BTC)


def test_a_damaged_excel_file_is_refused_in_one_line(database, tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<no>")

    assert "is damaged, and may be cut: get the file anew" in refusal(database, path, **BTC)


def test_a_folder_without_place_for_a_copy_is_no_fault_of_an_excel_file(tmp_path):
    book = Path(__file__).parent / "from_libreoffice" / "excel.xlsx"

    with pytest.raises(FileError, match=r"can't be imported: .*No such file or directory"):
        ready_in(book, tmp_path / "missing")


def test_a_header_that_is_longer_than_any_is_refused_shortly(database, tmp_path):
    path = text(tmp_path / "a.csv", f"{'x' * 140_000},price\n" + lines(iso, header=""))

    assert len(refusal(database, path, **BTC)) < 400


def test_blocks_of_nothing_that_a_loss_of_power_left_at_the_end_are_a_bad_row(database, tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(lines(iso).encode() + bytes(4096))

    result = imported(database, path, **BTC)

    assert (result.stored, result.bad) == (5, 1)
    assert result.examples[0] == f"line 7: missing columns: {60 * '?'}…"


def test_times_that_are_not_understood_are_told(database, tmp_path):
    path = text(tmp_path / "a.csv", lines(lambda ts: f"{ts:%d-%b-%Y %H:%M:%S}"))

    found = look(database, path, **BTC)

    assert (found.columns[0], found.bad) == ("time: column 'ts', none that is understood", 5)


def test_a_time_that_is_cut_is_a_bad_row_and_one_without_seconds_is_not(tmp_path):
    times = ("202603141509", "20260314", "2026-03-14 15:09:", "2026.03.14 15:", "20260314 15:10")
    path = written(tmp_path / "a.csv", "ts,price", *((time, 1) for time in times))

    file = ready_in(path, tmp_path, Columns(index_name="btc_usd", resolution_s=0))

    assert [f"{ts:%d %H:%M}" for ts, _ in ticks_of(file)] == ["14 00:00", "14 15:09", "14 15:10"]
    assert file.bad == 2


def test_names_that_differ_in_case_alone_are_told_apart(database, tmp_path):
    path = text(tmp_path / "a.csv", lines(lambda ts: f"{iso(ts)},7,8", header="ts,Price,PRICE,price"))

    found = look(database, path, time="ts", price="price_3", **BTC)

    assert found.instruments[0].last_price == TICKS[-1][1]


@pytest.mark.parametrize("over_s", [0, 3600])
def test_the_closes_of_candles_are_the_prices_if_the_user_says_what_they_are(database, tmp_path, over_s):
    path = text(tmp_path / "a.csv", f"time,open,high,low,close,Volume\n{iso(BEGIN)},1,3,1,2,9\n")

    found = look(database, path, resolution_s=over_s, **BTC)

    assert found.candles is None
    assert (found.instruments[0].first, found.instruments[0].first_price) == (BEGIN, 2.0)


def test_bad_rows_with_times_of_a_zone_are_shown(database, tmp_path):
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(
            "COPY (SELECT TIMESTAMPTZ '2026-03-14 15:09:00+01' AS ts, unnest([1.0, -1.0]) AS price) TO $path",
            {"path": str(path)},
        )

    found = look(database, path, **BTC)

    assert (found.instruments[0].rows, found.bad) == (1, 1)
    assert found.examples == ("price is not above 0: 2026-03-14 14:09:00+00, -1.0",)


def test_a_look_at_many_portions_finds_what_one_finds(database, tmp_path):
    cells = [(BEGIN + timedelta(seconds=n * 7 % 11), n % 2, 1 + n) for n in range(11)]
    path = text(
        tmp_path / "a.csv", "ts,index_name,price\n" + "".join(f"{iso(ts)},{'be'[i]}tc_usd,{p}\n" for ts, i, p in cells)
    )
    columns = Columns()

    (whole,) = look_at(database, [path], columns, nobody_listens)
    (parts,) = look_at(database, [path], columns, nobody_listens, Limits(rows=2))

    assert parts == whole
    assert [each.index_name for each in whole.instruments] == ["btc_usd", "etc_usd"]
    assert [each.rows for each in whole.instruments] == [6, 5]
    for number, each in enumerate(whole.instruments):
        own = sorted((ts, price) for ts, index, price in cells if index == number)
        assert [(each.first, each.first_price), (each.last, each.last_price)] == [own[0], own[-1]]


def test_index_names_with_blanks_around_them_are_known(database, tmp_path):
    path = text(tmp_path / "a.csv", f'ts,price,symbol\n{iso(BEGIN)},1," btc_usd "\n')

    assert imported(database, path).stored == 1


def test_a_table_below_the_first_lines_of_a_long_report_is_not_guessed_at(database, tmp_path):
    path = text(tmp_path / "a.csv", "only words\n" * 600 + lines(iso))

    assert "has one column alone: commas" in refusal(database, path, **BTC)
