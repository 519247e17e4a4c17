"""Kinds of stored rows: what the code that reads or copies a feed's table must know about the table.

`KINDS` lists each kind. A new kind needs a record here and a migration that makes its table. Code that goes through
kinds names no table.
"""

from collections.abc import Container
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a kind's table: its name, its type in DuckDB, and the unit or the meaning of its values."""

    name: str
    type: str
    unit: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stored rows.

    Attributes:
        name: the start of its feeds' names, such as "options" in "options/BTC"; empty for indexes.
        table: the table that has the rows, or the view of all of them.
        columns: the columns of the table, in their order.
        key: the columns whose values, together with the time, occur once. The first column names the feed of a row: it
            has the end of the feed's name, such as "BTC".
        sound: the SQL condition that each sound row meets.
        lacking: what an unsound row lacks, in words.
        heals: whether the exchange has the past of the feeds, so that gaps can be filled.
        healed_by: what the exchange's charts have that fills gaps, if it is no average, such as "trades".
        parts: the tables that a view is of. New rows go into the first.
        time: the column that has the time of a row.
        snapshots: the start of the names of the feeds whose snapshots bring the rows; empty if none do.
    """

    name: str
    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    sound: str
    lacking: str
    heals: bool
    time: str = "ts"
    snapshots: str = ""
    healed_by: str = ""
    parts: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that have the rows. New rows go into the first."""
        return self.parts or (self.table,)

    @property
    def column_names(self) -> list[str]:
        """The names of the columns, in their order."""
        return [column.name for column in self.columns]

    @property
    def brought(self) -> tuple[Column, ...]:
        """The columns whose values differ between the rows of a snapshot."""
        shared = {self.key[0], self.time, "source", "resolution_s"}
        return tuple(column for column in self.columns if column.name not in shared)

    @property
    def has_source(self) -> bool:
        """Does each row have its source? Otherwise its snapshot has it."""
        return "source" in self.column_names

    @property
    def derived(self) -> bool:
        """Are the rows made of the rows of another kind? A new method may make them anew with other values."""
        return self.snapshots not in {"", self.name}

    def recorded(self, feed: str) -> str:
        """The feed that is recorded for a feed: for derived rows the feed of their snapshots, else the feed itself."""
        return f"{self.snapshots}/{self.end(feed)}" if self.derived else feed

    def feed(self, end: str) -> str:
        """The name of the feed of this kind with this end."""
        return f"{self.name}/{end}" if self.name else end

    def end(self, feed: str) -> str:
        """The end of a feed's name, as the rows have it."""
        return feed.removeprefix(f"{self.name}/")


TICKS = Kind(
    name="",
    table="ticks",
    columns=(
        Column("index_name", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("received_at", "TIMESTAMP", "UTC"),
        Column("price", "DOUBLE", "the second currency of the name"),
        Column("source", "VARCHAR", ""),
        Column("resolution_s", "INTEGER", "s"),
    ),
    key=("index_name",),
    sound=(
        "isfinite(price) AND price > 0 AND resolution_s >= 0 AND length(index_name) > 0 AND length(source) > 0 "
        "AND ts IS NOT NULL"
    ),
    lacking="a name, a time, a source or a price above 0",
    heals=True,
)

OPTIONS = Kind(
    name="options",
    table="options",
    columns=(
        Column("underlying", "VARCHAR", "as the exchange spells it"),
        Column("expiry", "TIMESTAMP", "UTC"),
        Column("strike", "DOUBLE", "USD"),
        Column("option_type", "VARCHAR", ""),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("mark_price", "DOUBLE", "coin"),
        Column("mark_iv", "DOUBLE", "% a year"),
        Column("underlying_price", "DOUBLE", "USD"),
        Column("bid_price", "DOUBLE", "coin"),
        Column("ask_price", "DOUBLE", "coin"),
        Column("last", "DOUBLE", "coin"),
        Column("open_interest", "DOUBLE", "coin"),
        Column("volume", "DOUBLE", "coin in 24 h"),
        Column("volume_usd", "DOUBLE", "USD in 24 h"),
    ),
    key=("underlying", "expiry", "strike", "option_type"),
    sound=(
        "length(underlying) > 0 AND ts IS NOT NULL AND expiry IS NOT NULL AND isfinite(strike) AND strike > 0 "
        "AND option_type IN ('call', 'put')"
    ),
    lacking="an underlying, a time, an expiry, a strike above 0 or a type",
    heals=False,
    snapshots="options",
    parts=("options_by_snapshot", "options_by_contract"),
)

FUTURES = Kind(
    name="futures",
    table="futures",
    columns=(
        Column("currency", "VARCHAR", "as the exchange spells it"),
        Column("instrument_name", "VARCHAR", "as the exchange spells it"),
        Column("expiry", "TIMESTAMP", "UTC"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("mark_price", "DOUBLE", "USD"),
        Column("bid_price", "DOUBLE", "USD"),
        Column("ask_price", "DOUBLE", "USD"),
        Column("last", "DOUBLE", "USD"),
        Column("open_interest", "DOUBLE", "USD"),
        Column("volume", "DOUBLE", "coin in 24 h"),
        Column("volume_usd", "DOUBLE", "USD in 24 h"),
        Column("current_funding", "DOUBLE", "1 in 8 h"),
        Column("funding_8h", "DOUBLE", "1 in 8 h"),
        Column("source", "VARCHAR", ""),
        Column("resolution_s", "INTEGER", "s"),
    ),
    key=("currency", "instrument_name"),
    sound=(
        "length(currency) > 0 AND length(instrument_name) > 0 AND ts IS NOT NULL AND length(source) > 0 "
        "AND resolution_s >= 0"
    ),
    lacking="a currency, an instrument, a time or a source",
    heals=True,
    snapshots="futures",
    healed_by="trades",
)

VOLATILITY_INDEX = Kind(
    name="dvol",
    table="volatility_index",
    columns=(
        Column("currency", "VARCHAR", "as the exchange spells it"),
        Column("open_time", "TIMESTAMP", "UTC"),
        Column("open", "DOUBLE", "% a year"),
        Column("high", "DOUBLE", "% a year"),
        Column("low", "DOUBLE", "% a year"),
        Column("close", "DOUBLE", "% a year"),
        Column("source", "VARCHAR", ""),
        Column("resolution_s", "INTEGER", "s"),
    ),
    key=("currency", "resolution_s"),
    sound=(
        "length(currency) > 0 AND open_time IS NOT NULL AND length(source) > 0 AND resolution_s > 0 "
        "AND isfinite(low) AND low > 0 AND isfinite(high) AND open BETWEEN low AND high AND close BETWEEN low AND high"
    ),
    lacking="a currency, a time, a source, a length or four values in order above 0",
    heals=True,
    time="open_time",
)

FUNDING = Kind(
    name="funding",
    table="funding",
    columns=(
        Column("instrument_name", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("index_price", "DOUBLE", "USD"),
        Column("interest_1h", "DOUBLE", "1 in 1 h"),
        Column("interest_8h", "DOUBLE", "1 in 8 h"),
        Column("source", "VARCHAR", ""),
    ),
    key=("instrument_name",),
    sound="length(instrument_name) > 0 AND ts IS NOT NULL AND length(source) > 0 AND isfinite(interest_1h)",
    lacking="an instrument, a time, a source or a rate",
    heals=True,
)

DELIVERIES = Kind(
    name="deliveries",
    table="deliveries",
    columns=(
        Column("index_name", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("price", "DOUBLE", "the second currency of the name"),
        Column("source", "VARCHAR", ""),
    ),
    key=("index_name",),
    sound="length(index_name) > 0 AND ts IS NOT NULL AND length(source) > 0 AND isfinite(price) AND price > 0",
    lacking="a name, a time, a source or a price above 0",
    heals=True,
)

SMILES = Kind(
    name="smiles",
    table="smiles",
    columns=(
        Column("underlying", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        Column("expiry", "TIMESTAMP", "UTC"),
        Column("forward", "DOUBLE", "USD"),
        Column("atm_iv", "DOUBLE", "% a year"),
        *(Column(name, "DOUBLE", "points of volatility") for name in ("rr25", "bf25", "rr10", "bf10")),
        *(Column(name, "DOUBLE", "coin") for name in ("call_oi", "put_oi")),
        *(Column(name, "DOUBLE", "coin in 24 h") for name in ("call_volume", "put_volume")),
        Column("max_pain", "DOUBLE", "USD"),
        Column("strikes", "INTEGER", "strikes"),
        Column("method", "INTEGER", ""),
    ),
    key=("underlying", "expiry"),
    sound="length(underlying) > 0 AND ts IS NOT NULL AND expiry IS NOT NULL AND method > 0",
    lacking="an underlying, a time, an expiry or a method",
    heals=False,
    snapshots="options",
)

TENORS_D = (7, 14, 30, 60, 90, 180, 365)
"""The constant maturities of a surface, in days."""

SURFACES = Kind(
    name="surfaces",
    table="surfaces",
    columns=(
        Column("underlying", "VARCHAR", "as the exchange spells it"),
        Column("ts", "TIMESTAMP", "UTC"),
        *(Column(f"iv_{days}d", "DOUBLE", "% a year") for days in TENORS_D),
        *(Column(f"rr25_{days}d", "DOUBLE", "points of volatility") for days in TENORS_D),
        *(Column(f"bf25_{days}d", "DOUBLE", "points of volatility") for days in TENORS_D),
        Column("iv_chain_30d", "DOUBLE", "% a year"),
        *(Column(name, "DOUBLE", "coin") for name in ("call_oi", "put_oi")),
        *(Column(name, "DOUBLE", "coin in 24 h") for name in ("call_volume", "put_volume")),
        Column("index_price", "DOUBLE", "USD"),
        Column("method", "INTEGER", ""),
    ),
    key=("underlying",),
    sound="length(underlying) > 0 AND ts IS NOT NULL AND method > 0",
    lacking="an underlying, a time or a method",
    heals=False,
    snapshots="options",
)

KINDS: tuple[Kind, ...] = (TICKS, OPTIONS, FUTURES, VOLATILITY_INDEX, FUNDING, DELIVERIES, SMILES, SURFACES)
"""All kinds."""


def kinds_of(tables: Container[str]) -> list[Kind]:
    """The kinds that have one of these tables."""
    return [kind for kind in KINDS if any(table in tables for table in (kind.table, *kind.parts))]


def kind_of(feed: str) -> Kind | None:
    """The kind of a feed; None if no kind has such feeds."""
    name, slash, _ = feed.partition("/")
    return next((kind for kind in KINDS if kind.name == (name if slash else "")), None)


def heals(feed: str) -> bool:
    """Does the exchange have the past of a feed?"""
    kind = kind_of(feed)
    return kind is not None and kind.heals
