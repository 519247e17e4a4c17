"""The columns of a foreign file: which column has what, and how its rows are read as ticks.

A statement names the columns of a file by their place (c0, c1, ...), so that no name from the file gets into SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from settings import is_index_name
from store.errors import FileError
from store.intake.files import times
from store.intake.files.candles import LAYOUTS, PRICES, TIMES, close_of, is_at_end
from store.intake.files.numbers import Writing, with_point, writing_of
from store.intake.files.table import plain

from .contents import KNOWN_AS, Contents, all_names, shown
from .foreign import Columns, Statement
from .instruments import of_one, refuse_other_names
from .likeness import refuse_unlike

_OPTIONS = {"time": "--time", "price": "--price", "index": "--index-column, or the index with --index"}

_ROWS = """
    SELECT
        {index_name} AS index_name,
        {ts} AS ts,
        {price} AS price,
        {received_at} AS received_at,
        {source} AS source,
        {resolution_s} AS resolution_s,
        row
    FROM read_parquet($path, file_row_number = true) AS file({places}, row)
"""


_CELLS = "SELECT CAST({place} AS VARCHAR) FROM read_parquet($path) AS file({places}) LIMIT 2_000"


def reading(contents: Contents, columns: Columns) -> Statement:
    """The statement that reads a Parquet file.

    Raises:
        FileError: a needed column is missing, or what it has can be read in two ways.
    """
    return _Reading(contents, columns).statement()


@dataclass
class _Reading:
    contents: Contents
    columns: Columns
    values: dict[str, Any] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = self.contents.places
        self.order = self.columns.order
        self.close: str | None = None
        self.candles = self._are_candles()

    def statement(self) -> Statement:
        self.values["path"] = self.contents.path
        time, by_text = self._time()
        price = self._price()
        index_name = self._index_name()
        received, source = self._known("received_at"), self._known("source")
        resolution, resolutions = self._resolution()
        rows = _ROWS.format(
            places=", ".join(self.places.values()),
            index_name=index_name,
            ts=time,
            price=price,
            received_at=self._received(received) if received else "CAST(NULL AS TIMESTAMP)",
            source=self._source(source) if source else "'import'",
            resolution_s=resolution,
        )
        by_text = by_text or self.contents.types.get(received or "") == "VARCHAR"
        return Statement(
            rows,
            self.values,
            by_text,
            resolutions,
            tuple(self.words),
            self.candles,
            self.columns.candle_s,
            self._are_observed(),
        )

    def _are_candles(self) -> bool:
        """Are these candles? The user may say that they are not, by the time that the prices are averages over."""
        columns, called = self.columns, self.contents.called
        refuse_unlike(self.contents, columns.like)
        if columns.resolution_s is not None:
            return False
        named = close_of(list(self.places))
        self.close = named or self.contents.close
        if self.close is None:
            return self._are_closes()
        price = columns.price
        if price is not None and (plain(price) in PRICES[:3] if named else price != self.close):
            raise FileError(
                f"{called} has candles, and of their prices only the close has a known time: say --price {self.close}"
            )
        return True

    def _are_observed(self) -> bool:
        """Is it told that the prices are no closes of candles: by the user, or by a column that candles lack?"""
        said = self.columns.resolution_s is not None or self.columns.like is not None
        return said or any(map(self._known, ("received_at", "resolution_s")))

    def _are_closes(self) -> bool:
        """Is the price the close of candles whose other prices are not there?"""
        columns = self.columns
        if plain(columns.price or "") == "close" and columns.candle_s is None:
            raise FileError(
                f"{self.contents.called}: how long is the candle of each close? Say --candle, such as --candle 1h, "
                "or --average 0"
            )
        return columns.candle_s is not None

    def _time(self) -> tuple[str, bool]:
        """An expression for the time of each row, and whether it is text."""
        layout = LAYOUTS.get(self.columns.like or "")
        names = layout.time if layout else TIMES if self.candles else KNOWN_AS["time"]
        name = self._day(self._column("time", self.columns.time, names))
        self._refuse_day_numbers(name)
        kind, text, texts = self.contents.types[name], self.places[name], self.contents.texts.get(name, ())
        called = f"column {name!r}"
        if (clock := self._clock(name)) is not None:
            text = f"concat({times.day_in(text)}, ' ', {self.places[clock]})"
            texts = [f"{day.split(' ')[0]} {time}" for day, time in zip(texts, self.contents.texts[clock], strict=True)]
            called = f"columns {name!r} and {clock!r}"
        if kind == "VARCHAR":
            self.order = self.order or times.order_of(texts, lambda: self._highest(text))
            if self.order is None:
                raise FileError(
                    f"{self.contents.called}: is {shown(texts[0])} a date with the day first or the month first? "
                    "Say --dates dmy or --dates mdy"
                )
            found = times.times_of(texts, self.order)
            instant, words = found.instant(text), found.words
        else:
            instant, words = instant_in(text, kind), kind
        self.words.append(f"time: {called}, {words}")
        if self.candles and not is_at_end(name):
            instant = f"{instant} + to_seconds(CAST($candle_s AS BIGINT))"
            self.values["candle_s"] = self.columns.candle_s or 0
        return instant, kind == "VARCHAR"

    def _refuse_day_numbers(self, name: str) -> None:
        cells = [str(cell or "") for (cell,) in self.contents.of_columns(_CELLS, place=self.places[name])]
        days = [cell for cell in cells if times.is_day_number(cell)]
        if 2 * len(days) > len(cells):
            raise FileError(
                f"{self.contents.called}: its times, such as {shown(days[0])}, are day numbers of Excel: format them "
                "there as yyyy-mm-dd hh:mm:ss, and save the file anew"
            )

    def _day(self, name: str) -> str:
        """The column with the days, if the column of this name has times of day alone."""
        texts = self.contents.texts
        if not texts.get(name) or not all(map(times.is_time_of_day, texts[name])):
            return name
        days = [other for other, its in texts.items() if its and all(map(times.is_day, its))]
        if not days:
            raise FileError(
                f"{self.contents.called}: its column {name!r} has times without a day; name another with --time"
            )
        return days[0]

    def _clock(self, name: str) -> str | None:
        """The column that has the time of day, if the column of this name has only days."""
        texts = self.contents.texts.get(name, ())
        if not texts or not all(times.is_day(text) for text in texts):
            return None
        others = (other for other, its in self.contents.texts.items() if other != name and its)
        return next((it for it in others if all(map(times.is_time_of_day, self.contents.texts[it]))), None)

    def _highest(self, text: str) -> tuple[int, int]:
        ((first, second),) = self.contents.of_columns(times.HIGHEST, text=text)
        return int(first), int(second)

    def _price(self) -> str:
        layout = LAYOUTS.get(self.columns.like or "")
        name = self._column("price", self.columns.price, (layout.price,) if layout else self._price_names())
        if self.contents.types[name] != "VARCHAR":
            self.words.append(f"price: column {name!r}")
            return f"TRY_CAST({self.places[name]} AS DOUBLE)"
        texts = self.contents.texts[name]
        writing = self._writing(name, texts)
        self.words.append(f"price: column {name!r}{writing}")
        return writing.number(self.places[name])

    def _price_names(self) -> tuple[str, ...]:
        if self.candles:
            return ("close", *KNOWN_AS["price"]) if self.close is None else (self.close,)
        return KNOWN_AS["price"] if self.columns.resolution_s is None else (*KNOWN_AS["price"], "close")

    def _writing(self, name: str, texts: Sequence[str]) -> Writing:
        if self.columns.point is not None:
            return with_point(texts, self.columns.point)
        writing = writing_of(texts, commas_likely=self.contents.semicolons)
        if writing is None:
            raise FileError(
                f"{self.contents.called}: in its column {name!r}, is the sign in {shown(texts[0])} a decimal one? "
                "Say --decimal . or --decimal ,"
            )
        return writing

    def _index_name(self) -> str:
        if self.columns.index_name is not None:
            self.values["index_name"] = self.columns.index_name
            self.words.append(
                f"index: {self.columns.index_name}, as you say{of_one(self.contents, self.columns.index_name)}"
            )
            return "$index_name"
        known = self._index_columns()
        likely = [name for name in known if any(map(is_index_name, self.contents.texts.get(name, ())))]
        name = self._column("index", self.columns.index, [plain(each) for each in likely or known])
        texts = self.contents.texts.get(name)
        self.words.append(f"index: column {name!r}")
        refuse_other_names(self.contents, name)
        padded = any(text != text.strip() for text in texts or ())
        return f"{'trim' if padded else ''}(CAST({self.places[name]} AS VARCHAR))"

    def _index_columns(self) -> list[str]:
        """The columns that may have the index, the best first."""
        by_name = self.contents.by_name
        return [by_name[name] for name in KNOWN_AS["index"] if name in by_name]

    def _resolution(self) -> tuple[str, str | None]:
        """An expression for the time that each price is an average over, and why a row without it is bad."""
        name = self._known("resolution_s")
        if self.columns.resolution_s is not None:
            self.values["resolution_s"] = self.columns.resolution_s
            return "CAST($resolution_s AS INTEGER)", None
        if name is None:
            return "0", None
        over_s = f"TRY_CAST({self.places[name]} AS INTEGER)"
        if self.candles:
            return (
                f"CASE WHEN {over_s} = 0 THEN 0 ELSE -1 END",
                "the candle has averages in it, so its close may be one",
            )
        return over_s, "resolution_s is not a whole number of seconds"

    def _received(self, name: str) -> str:
        kind, place = self.contents.types[name], self.places[name]
        if kind != "VARCHAR":
            return instant_in(place, kind)
        return times.times_of(self.contents.texts[name], self.order or "dmy").instant(place)

    def _source(self, name: str) -> str:
        return f"CASE WHEN CAST({self.places[name]} AS VARCHAR) = 'simulator' THEN 'simulator' ELSE 'import' END"

    def _column(self, what: str, given: str | None, known: Sequence[str]) -> str:
        by_name = self.contents.by_name
        found = next((by_name[name] for name in known if name in by_name), None)
        if given is not None:
            found = given if given in self.places else None
        if found is None:
            lacks = f"no column for the {what}" if given is None else f"no column {given!r}"
            raise FileError(
                f"{self.contents.called} has {lacks}; it has {all_names(self.contents)}: name one with {_OPTIONS[what]}"
            )
        return found

    def _known(self, what: str) -> str | None:
        by_name = self.contents.by_name
        return next((by_name[name] for name in KNOWN_AS[what] if name in by_name), None)


def instant_in(place: str, column_type: str) -> str:
    """An expression for the instant in a column that is no text, as a TIMESTAMP in UTC."""
    if column_type == "TIMESTAMPTZ_NS":  # DuckDB 2.0 has neither a cast nor epoch_us for it
        return f"make_timestamp(epoch_ns({place}) // 1000)"
    if column_type == "TIMESTAMP WITH TIME ZONE":
        return f"make_timestamp(epoch_us({place}))"
    if column_type == "TIMESTAMP_NS":  # a cast would round, and so be later than the zoned form of the same instant
        return f"make_timestamp(epoch_ns({place}) // 1000)"
    if column_type.startswith("TIMESTAMP") or column_type == "DATE":
        return f"CAST({place} AS TIMESTAMP)"
    return times.FROM_NUMBER.format(number=f"TRY_CAST({place} AS DOUBLE)")
