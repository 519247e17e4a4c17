"""Each kind of file that docs/import.md lists gives the same ticks, or is refused in one line."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet
import pytest

from settings import ROOT
from store.errors import FileError
from store.file.database import Database
from store.intake.imports import Imported, import_files
from store.intake.rows.foreign import Columns
from store.models import utc_now
from store.prices import ticks
from tests.support.documents import table
from tests.support.foreign_files import nobody_listens, ready_in, ticks_of

BEGIN = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
TIMES = [BEGIN + timedelta(minutes=number) for number in range(5)]
PRICES = [42_000.5, 42_001.25, 41_999.75, 1_234.5, 42_003.0]
TICKS = list(zip(TIMES, PRICES, strict=True))

BTC = {"index_name": "btc_usd"}


def lines(
    time: Callable[[datetime], object],
    *,
    header: str = "ts,price",
    price: Callable[[float], object] = str,
    separator: str = ",",
    end: str = "\n",
) -> str:
    rows = [f"{time(ts)}{separator}{price(value)}" for ts, value in TICKS]
    return "".join(f"{line}{end}" for line in ([header] if header else []) + rows)


def iso(ts: datetime) -> str:
    return f"{ts:%Y-%m-%dT%H:%M:%SZ}"


def epoch(unit: int) -> Callable[[datetime], int]:
    return lambda ts: round(ts.timestamp()) * unit


def shifted(hours: int, form: str) -> Callable[[datetime], str]:
    return lambda ts: (ts + timedelta(hours=hours)).strftime(form)


def written_as(form: str) -> Callable[[datetime], str]:
    return lambda ts: ts.strftime(form)


def in_zip(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, lines(iso))
    return packed.getvalue()


def in_zstd(content: bytes) -> bytes:
    packed = pa.compress(content, codec="zstd", asbytes=True)
    assert isinstance(packed, bytes)
    return packed


def in_parquet(times: pa.Array, name: str = "ts") -> bytes:
    target = io.BytesIO()
    pyarrow.parquet.write_table(pa.table({name: times, "price": PRICES}), target)
    return target.getvalue()


def timestamps(unit: str, zone: str | None) -> pa.Array:
    return pa.array([ts if zone else ts.replace(tzinfo=None) for ts in TIMES], pa.timestamp(unit, zone))


def in_excel(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


EXCEL_ROWS: list[list[Any]] = [["ts", "price"], *([ts.replace(tzinfo=None), price] for ts, price in TICKS)]


def with_commas(price: float) -> str:
    return f"{price}".replace(".", ",")


def english(price: float) -> str:
    return f'"{price:,}"'


def german(price: float) -> str:
    return f"{price:,}".translate(str.maketrans(",.", ".,"))


def swiss(price: float) -> str:
    return f"{price:,}".replace(",", "'")


def french(price: float) -> str:
    return f"{price:,}".translate(str.maketrans(",.", "\u202f,"))


def candles(header: str, opened: Callable[[datetime], str], separator: str = ",", more: str = "") -> str:
    """A candle of a minute before each tick, with the tick's price as its close."""
    rows = [
        separator.join([opened(ts - timedelta(minutes=1)), str(price + 1), str(price + 9), str(price - 9), str(price)])
        for ts, price in TICKS
    ]
    return "".join(
        f"{line}{more if number or not header else ''}\n"
        for number, line in enumerate([*filter(None, [header]), *rows])
    )


def klines() -> str:
    def row(ts: datetime, price: float) -> list[object]:
        opened = epoch(1000)(ts) - 60_000
        return [opened, price + 1, price + 9, price - 9, price, 12.5, opened + 59_999, 1, 2, 3, 4, 0]

    return "".join(",".join(map(str, row(*each))) + "\n" for each in TICKS)


def derivative_ticker() -> str:
    rows = [
        f"deribit,BTC-PERPETUAL,{epoch(10**6)(ts)},{epoch(10**6)(ts) + 90_000},,{price + 3},{price}"
        for ts, price in TICKS
    ]
    return "\n".join(["exchange,symbol,timestamp,local_timestamp,funding_rate,last_price,index_price", *rows, ""])


DAY_NUMBERS = "are day numbers of Excel"
OHLC = "open,high,low,close"


@dataclass(frozen=True)
class Kind:
    """A kind of file.

    Attributes:
        name: as docs/import.md has it.
        content: of a file of the kind.
        columns: what the user says of it.
        refused: words of the refusal; None if it is read.
        bad: how many of its last rows are bad.
    """

    name: str
    content: str | bytes
    columns: dict[str, Any] = field(default_factory=lambda: BTC)
    refused: str | None = None
    bad: int = 0

    @property
    def bytes(self) -> bytes:
        return self.content.encode() if isinstance(self.content, str) else self.content


KINDS = [
    Kind("UTF-8", lines(iso)),
    Kind("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + lines(iso).encode()),
    Kind("a last line without a line end", lines(iso)[:-1], bad=1),
    Kind("a last line without a line end", lines(iso)[:-4], bad=1),
    Kind("a last line without a line end", lines(iso)[:-12], bad=1),
    Kind("UTF-16", lines(iso).encode("utf-16")),
    Kind("UTF-16", lines(iso, separator="\t", header="ts\tprice").encode("utf-16")),
    Kind("UTF-16", lines(iso).encode("utf-16-le")),
    Kind("UTF-16", lines(iso).encode("utf-16-be")),
    Kind("UTF-32", lines(iso).encode("utf-32")),
    Kind("Latin-1", lines(iso, header="ts,price,Größe", price=lambda price: f"{price},ö").encode("cp1252")),
    Kind("gzip, bzip2, xz, zstd", gzip.compress(lines(iso).encode())),
    Kind("gzip, bzip2, xz, zstd", bz2.compress(lines(iso).encode())),
    Kind("gzip, bzip2, xz, zstd", lzma.compress(lines(iso).encode())),
    Kind("gzip, bzip2, xz, zstd", in_zstd(lines(iso).encode())),
    Kind("gzip, bzip2, xz, zstd", gzip.compress(in_parquet(timestamps("us", "UTC")))),
    Kind("zip with one file in it", in_zip("prices.csv", "__MACOSX/._prices.csv")),
    Kind("zip with several files", in_zip("a.csv", "b.csv"), refused="has 2 files in it: unpack it"),
    Kind("Parquet, a time of any type", in_parquet(timestamps("ns", "UTC"))),
    Kind("Parquet, a time of any type", in_parquet(timestamps("ns", None))),
    Kind("Parquet, a time of any type", in_parquet(timestamps("us", "Asia/Tokyo"))),
    Kind("Parquet, a time of any type", in_parquet(timestamps("s", None))),
    Kind("Parquet, a time of any type", in_parquet(pa.array(map(iso, TIMES)))),
    Kind("Excel, `.xlsx`", in_excel(("Prices", EXCEL_ROWS))),
    Kind("Excel, `.xlsx`", in_excel(("about", [["Made by", "us"]]), ("Prices", EXCEL_ROWS))),
    Kind(
        "Excel, `.xlsx`", in_excel(("Prices", [["Prices of BTC"], [], *([str(x) for x in row] for row in EXCEL_ROWS)]))
    ),
    Kind(
        "Excel with several sheets of prices", in_excel(("A", EXCEL_ROWS), ("B", EXCEL_ROWS)), refused="2 sheets that"
    ),
    Kind("commas, semicolons, tabs or bars between fields", lines(iso, header="ts;price", separator=";")),
    Kind("commas, semicolons, tabs or bars between fields", lines(iso, header="ts\tprice", separator="\t")),
    Kind("commas, semicolons, tabs or bars between fields", lines(iso, header="ts|price", separator="|")),
    Kind("line ends of any kind, and several kinds", lines(iso, end="\r\n")),
    Kind("line ends of any kind, and several kinds", lines(iso, end="\r")),
    Kind("line ends of any kind, and several kinds", lines(iso).replace("\n", "\r\n", 3)),
    Kind("lines above the names", "https://example.com/prices\n" + lines(iso)),
    Kind("lines above the names", "Report;BTC\n\nMade by,us\n" + lines(iso)),
    Kind(
        "fields in quotes, with blanks",
        lines(lambda ts: f' "{iso(ts)}"', header='"ts" , "price"', price=lambda it: f'  "{it}" '),
    ),
    Kind(
        "two tables in one file",
        lines(iso) + 2 * lines(iso, header="ts;price", separator=";"),
        refused="two files in one?",
    ),
    Kind(
        "one column, or fields separated by blanks",
        lines(epoch(1), header="ts price", separator=" "),
        refused="one column",
    ),
    Kind("no names", lines(iso, header=""), BTC, refused="has no column for the time; it has column0, column1"),
    Kind("no names", lines(iso, header=""), BTC | {"time": "column0", "price": "column1"}),
    Kind(
        "row numbers of pandas or R",
        "index,ts,price,symbol\n"
        + "".join(f"{number},{iso(ts)},{price},btc_usd\n" for number, (ts, price) in enumerate(TICKS)),
        {},
    ),
    Kind(
        "row numbers of pandas or R",
        '"ts","price"\n' + "".join(f'"{number}","{iso(ts)}",{price}\n' for number, (ts, price) in enumerate(TICKS)),
    ),
    Kind(
        "row numbers of pandas or R",
        "index,ts,price\n" + "".join(f"{number},{iso(ts)},{price}\n" for number, (ts, price) in enumerate(TICKS)),
    ),
    Kind(
        "row numbers of pandas or R",
        in_parquet(timestamps("ns", "UTC"), "__index_level_0__"),
    ),
    Kind("decimal commas", lines(iso, header="ts;price", separator=";", price=with_commas)),
    Kind("signs between thousands: `42,000.5`, `42.000,5`, `42'000.5`, `42 000,5`", lines(iso, price=english)),
    Kind(
        "signs between thousands: `42,000.5`, `42.000,5`, `42'000.5`, `42 000,5`",
        lines(iso, header="ts;price", separator=";", price=german),
    ),
    Kind("signs between thousands: `42,000.5`, `42.000,5`, `42'000.5`, `42 000,5`", lines(iso, price=swiss)),
    Kind(
        "signs between thousands: `42,000.5`, `42.000,5`, `42'000.5`, `42 000,5`",
        lines(iso, header="ts;price", separator=";", price=french),
    ),
    Kind("prices with a sign of currency", lines(iso, price=lambda it: f'"${it:,}"')),
    Kind(
        "`42,000` alone, which may be 42 or 42000",
        f"ts;price\n{iso(BEGIN)};42,000\n",
        refused="Say --decimal . or --decimal ,",
    ),
    Kind(
        "`42,000` alone, which may be 42 or 42000",
        f"ts;price\n{iso(BEGIN)};42.000\n",
        refused="Say --decimal . or --decimal ,",
    ),
    Kind("ISO 8601, with or without a zone", lines(written_as("%Y-%m-%d %H:%M:%S"))),
    Kind("ISO 8601, with or without a zone", lines(shifted(5, "%Y-%m-%dT%H:%M:%S+05:00"))),
    Kind("ISO 8601, with or without a zone", lines(shifted(-5, "%Y-%m-%d %H:%M:%S -0500"))),
    Kind("ISO 8601, with or without a zone", lines(written_as("%Y-%m-%d %H:%M:%S UTC"))),
    Kind("seconds to nanoseconds since 1970", lines(epoch(1))),
    Kind("seconds to nanoseconds since 1970", lines(epoch(10**3))),
    Kind("seconds to nanoseconds since 1970", lines(epoch(10**6))),
    Kind("seconds to nanoseconds since 1970", lines(epoch(10**9))),
    Kind("seconds to nanoseconds since 1970", lines(lambda ts: epoch(1 if ts == BEGIN else 1000)(ts))),
    Kind("`1.773500966000e+12`, with all digits", lines(lambda ts: f"{epoch(1000)(ts):.12e}")),
    Kind("`1.77350E+12`, digits lost", lines(lambda ts: f"{epoch(1000)(ts):.5E}"), bad=5),
    Kind("day or month first, told by a number above 12", lines(written_as("%d.%m.%Y %H:%M:%S"))),
    Kind("day or month first, told by a number above 12", lines(written_as("%d/%m/%Y %H:%M:%S"))),
    Kind("day or month first, told by a number above 12", lines(written_as("%m/%d/%Y %H:%M:%S"))),
    Kind("day or month first, told by a number above 12", lines(written_as("%d-%m-%Y %H:%M:%S"))),
    Kind(
        "`3/4/2026`, which may be in March or in April",
        "ts,price\n3/4/2026 10:00,1\n",
        refused="Say --dates dmy or --dates mdy",
    ),
    Kind("year first, by `/` or `.`, or without a sign", lines(written_as("%Y.%m.%d %H:%M:%S"))),
    Kind("year first, by `/` or `.`, or without a sign", lines(written_as("%Y/%m/%d %H:%M:%S"))),
    Kind("year first, by `/` or `.`, or without a sign", lines(written_as("%Y%m%d %H%M%S"))),
    Kind("year first, by `/` or `.`, or without a sign", lines(written_as("%Y%m%dT%H%M%SZ"))),
    Kind("year first, by `/` or `.`, or without a sign", lines(written_as("%Y%m%d%H%M%S"))),
    Kind("twelve hours with AM and PM", lines(written_as("%m/%d/%Y %I:%M:%S %p"))),
    Kind("twelve hours with AM and PM", lines(written_as("%Y-%m-%d %I:%M:%S %p"))),
    Kind("a date and a time of day in two columns", lines(written_as("%d.%m.%Y,%H:%M:%S"), header="date,time,price")),
    Kind(
        "a date and a time of day in two columns", lines(written_as("%Y%m%d,%H:%M:%S"), header="<DATE>,<TIME>,<PRICE>")
    ),
    Kind(
        "a date and a time of day in two columns",
        in_excel(("Prices", [["Date", "Time", "Price"], *([ts.date(), ts.time(), price] for ts, price in TICKS)])),
    ),
    Kind(
        "Tickwell's own candles",
        candles(f"index_name,open_time,{OHLC},resolution_s", lambda ts: f"btc_usd,{iso(ts)}", more=",0"),
        {},
    ),
    Kind("Binance klines, `--like binance`", klines(), BTC | {"like": "binance"}),
    Kind("TradingView", candles(f"time,{OHLC}", lambda ts: str(epoch(1)(ts)))),
    Kind(
        "CryptoDataDownload",
        "https://www.example.com\n"
        + candles(f"unix,date,symbol,{OHLC}", lambda ts: f"{epoch(1000)(ts)},{ts:%Y-%m-%d %H:%M:%S},BTC/USD"),
    ),
    Kind(
        "MetaTrader; MetaTrader 4 with `--like metatrader`",
        candles("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>", written_as("%Y.%m.%d\t%H:%M:%S"), "\t"),
    ),
    Kind(
        "MetaTrader; MetaTrader 4 with `--like metatrader`",
        candles("", written_as("%Y.%m.%d,%H:%M:%S"), more=",7"),
        BTC | {"like": "metatrader"},
    ),
    Kind("Yahoo", candles("Date,Open,High,Low,Close", written_as("%Y-%m-%d %H:%M:%S+00:00"))),
    Kind("Tardis", derivative_ticker()),
    Kind("Tardis", derivative_ticker(), BTC | {"like": "tardis"}),
    Kind(
        "CoinMarketCap, Dukascopy, Investing.com",
        candles(
            f"timeClose;timeOpen;{OHLC.replace(',', ';')};timestamp", lambda ts: f"{iso(BEGIN)};{iso(ts)}", ";", ";0"
        ),
    ),
    Kind(
        "CoinMarketCap, Dukascopy, Investing.com",
        candles(f"Gmt time,{OHLC}", lambda ts: f"{ts:%d.%m.%Y %H:%M:%S}.000"),
    ),
    Kind(
        "CoinMarketCap, Dukascopy, Investing.com",
        candles('"Date","Open","High","Low","Price"', lambda ts: f'"{ts:%m/%d/%Y %H:%M:%S}"'),
    ),
    Kind(
        "candles, with `--price open`",
        candles(f"ts,{OHLC}", iso),
        BTC | {"price": "open"},
        refused="only the close has a known time",
    ),
    Kind(
        "a close alone",
        lines(iso, header="ts,close"),
        BTC | {"price": "close"},
        refused="Say --candle, such as --candle 1h",
    ),
    Kind(
        "a close alone",
        lines(lambda ts: iso(ts - timedelta(minutes=1)), header="ts,close"),
        BTC | {"price": "close", "candle_s": 60},
    ),
    Kind(
        "instruments that `--index` would make one",
        f"ts,price,symbol\n{iso(BEGIN)},1,BTCUSDT\n{iso(BEGIN)},2,ETHUSDT\n",
        refused="2 instruments, BTCUSDT, ETHUSDT",
    ),
    Kind(
        "other names than the exchange's",
        f"ts,price,symbol\n{iso(BEGIN)},1,BTC/USD\n",
        {},
        refused="BTC/USD, which is no index name",
    ),
    Kind(
        "days, or whole minutes, with a price of any name",
        "Datum;Zuletzt\n14.03.2026;1\n15.03.2026;2\n",
        BTC | {"time": "Datum", "price": "Zuletzt"},
        refused="say --candle 1d if",
    ),
    Kind(
        "days, or whole minutes, with a price of any name",
        lines(lambda ts: f"{ts:%Y-%m-%d %H:%M}"),
        refused="say --candle 1m if",
    ),
    Kind("day numbers of Excel, such as `45678.5`", "ts,price\n46095.63155,1\n46096,1\n", refused=DAY_NUMBERS),
    Kind("day numbers of Excel, such as `45678.5`", in_parquet(pa.array([46095.5] * 5)), refused=DAY_NUMBERS),
    Kind(
        "day numbers of Excel, such as `45678.5`",
        in_excel(("Prices", [["ts", "price"], [46095.63155092593, 1], [46095.6316, 1]])),
        refused=f"such as 46095.63155092593, {DAY_NUMBERS}",
    ),
    Kind("names and no rows", "ts,price\n", refused="has a header and no rows"),
    Kind("names and no rows", "ts,price", refused="has a header and no rows"),
    Kind("names and no rows", in_excel(("Prices", [["ts", "price"]])), refused="has a header and no rows"),
    Kind("a file that is cut", gzip.compress(lines(iso).encode())[:-20], refused="is damaged, and may be cut"),
    Kind("a file that is cut", in_zip("a.csv")[:-20], refused="is damaged, and may be cut"),
    Kind("a file that is cut", in_excel(("Prices", EXCEL_ROWS))[:-20], refused="is damaged, and may be cut"),
    Kind("a file that is cut", in_parquet(timestamps("us", None))[:-20], refused="is damaged, and may be cut"),
    Kind("JSON, HTML, XML, PDF, `.xls`, OpenDocument, SQLite, Arrow", '{"ts": 1}', refused="is JSON"),
    Kind(
        "JSON, HTML, XML, PDF, `.xls`, OpenDocument, SQLite, Arrow",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
        refused="save it as .xlsx or CSV",
    ),
]


def stored(database: Database) -> list[tuple[datetime, float]]:
    with database.read() as cursor:
        found = ticks.history(cursor, "btc_usd", datetime(2000, 1, 1, tzinfo=UTC), utc_now())
    return [(each.ts, each.price) for each in found]


def imported(database: Database, path: Path, **columns: Any) -> Imported:
    (result,) = import_files(database, [path], Columns(**columns), nobody_listens)
    return result


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_kind_of_file_that_the_documents_list_is_read_right_or_refused(tmp_path, kind):
    path = tmp_path / "prices"
    path.write_bytes(kind.bytes)

    if kind.refused is None:
        file = ready_in(path, tmp_path, Columns(**kind.columns))
        assert ticks_of(file) == TICKS[: len(TICKS) - kind.bad]
        assert file.bad == kind.bad
    else:
        with pytest.raises(FileError) as refused:
            ready_in(path, tmp_path, Columns(**kind.columns))
        assert kind.refused in str(refused.value)
        assert "\n" not in str(refused.value)


def test_the_documents_list_each_kind_of_file_and_no_other():
    listed = [row[0] for row in table((ROOT / "docs/import.md").read_text(), "## Files")]

    assert listed == list(dict.fromkeys(kind.name for kind in KINDS))
