"""Connects to a lake: a catalog in PostgreSQL, and Parquet files in a bucket or a shared folder."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import unquote, urlsplit

import duckdb
from duckdb import DuckDBPyConnection

from settings import BucketKeys
from store.errors import StoreError
from store.file.opening import Config
from store.instants import EPOCH
from store.models import utc_now

from .extensions import NAMES, load
from .faults import in_one_line

NAME = "lake"
"""The name of the attached lake in DuckDB."""

# DuckLake would keep few rows in PostgreSQL until they are flushed. Its open reports of doubled and lost rows need that
# (ducklake #650, #1364, #1413, read 2026-08).
_OPTIONS = "DATA_INLINING_ROW_LIMIT 0"

# Without it, a host that drops packets holds a connection up for two minutes.
_CONNECT_TIMEOUT = "connect_timeout=10"

# DuckLake attaches the catalog under this name.
_NOW = f"""
FROM postgres_query(
    '__ducklake_metadata_{NAME}',
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS epoch_us'
)
"""  # noqa: S608 the name is a constant

_CATALOG_FORMAT = "1.0"
"""DuckDB from 1.5 on reads and writes it. A newer one would shut all of DuckDB 1 out."""


@dataclass(frozen=True)
class Patience:
    """How long is waited for the bucket.

    Attributes:
        http_timeout_s: for each request.
        http_retries: how often a request is sent again.
    """

    http_timeout_s: int = 10
    http_retries: int = 3


class Lake:
    """A shared lake. Making the object is cheap; each `open` connects anew.

    Args:
        url: of the catalog, `postgresql://user:password@host/database`.
        keys: of the bucket.
        memory_limit: of DuckDB, such as "256MB".
        patience: how long is waited for the bucket.
        recorder: as whom a file is published: rows of versions without names get this name.
        clock: of this machine.
    """

    def __init__(
        self,
        url: str,
        keys: BucketKeys,
        memory_limit: str = "256MB",
        patience: Patience = Patience(),
        recorder: str = "",
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.recorder = recorder
        self.clock = clock
        parts = urlsplit(url)
        self.where = f"lake {parts.hostname}{parts.path}"
        self._url = url if "connect_timeout=" in url else f"{url}{'&' if parts.query else '?'}{_CONNECT_TIMEOUT}"
        self._keys = keys
        self._memory_limit = memory_limit
        self._patience = patience
        password = parts.password or ""
        self._secrets = [
            each for each in (self._url, url, password, unquote(password), keys.secret, keys.token) if each
        ]

    @contextlib.contextmanager
    def open(self, *, read_only: bool = False) -> Iterator[DuckDBPyConnection]:
        """Lend a connection that has the lake as its current database. A commit fails if another one came before it.

        Raises:
            StoreError: an extension is missing, or the lake can't be reached, read or written.
        """
        options = f"{_OPTIONS}, CREATE_IF_NOT_EXISTS false{', READ_ONLY' if read_only else ''}"
        with self._connected() as connection:
            self._attach(connection, options)
            yield connection

    @contextlib.contextmanager
    def made(self, place: str) -> Iterator[DuckDBPyConnection]:
        """As `open`, of a lake that is made if it does not exist, with its files in a bucket or a folder.

        Raises:
            StoreError: also if the bucket can't be read, or if the catalog has its files elsewhere.
        """
        options = f"{_OPTIONS}, DATA_PATH {_quoted(place)}{format_option(duckdb.__version__)}"
        with self._connected() as connection:
            connection.execute("SELECT count(*) FROM glob(?)", [f"{place.rstrip('/')}/*"])
            self._attach(connection, options)
            yield connection

    @contextlib.contextmanager
    def in_one_line(self) -> Iterator[None]:
        """Raise DuckDB's errors as a StoreError that names the lake and has none of its secrets."""
        try:
            yield
        except duckdb.Error as error:
            raise StoreError(in_one_line(self.where, error, self._secrets)) from None  # its text has the password

    @contextlib.contextmanager
    def _connected(self) -> Iterator[DuckDBPyConnection]:
        config: Config = {
            "memory_limit": self._memory_limit,
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,  # a variable of our code must never stand for a missing table
        }
        with self.in_one_line(), duckdb.connect(config=config) as connection:
            for name in NAMES:
                load(connection, name)
            connection.execute("SET ducklake_max_retry_count = 0")
            connection.execute(f"SET http_timeout = {self._patience.http_timeout_s}")
            connection.execute(f"SET http_retries = {self._patience.http_retries}")
            self._give_keys(connection)
            yield connection

    def _attach(self, connection: DuckDBPyConnection, options: str) -> None:
        connection.execute(f"ATTACH {_quoted(f'ducklake:postgres:{self._url}')} AS {NAME} ({options})")
        connection.execute(f"USE {NAME}")

    def _give_keys(self, connection: DuckDBPyConnection) -> None:
        keys = self._keys
        if not keys.key_id:
            return
        values = {"KEY_ID": keys.key_id, "SECRET": keys.secret, "SESSION_TOKEN": keys.token, "REGION": keys.region}
        if keys.endpoint:
            address = urlsplit(keys.endpoint)
            values |= {"ENDPOINT": f"{address.netloc}{address.path}".rstrip("/"), "URL_STYLE": "path"}
            values["USE_SSL"] = "false" if address.scheme == "http" else "true"
        given = ", ".join(f"{name} {_quoted(value)}" for name, value in values.items() if value)
        connection.execute(f"CREATE SECRET bucket (TYPE s3, {given})")


def catalog_now(cursor: DuckDBPyConnection) -> datetime:
    """The time of PostgreSQL's clock."""
    ((epoch_us,),) = cursor.execute(_NOW).fetchall()
    return EPOCH + timedelta(microseconds=epoch_us)


def format_option(version: str) -> str:
    """What keeps a new catalog readable for all versions. DuckDB 1 makes no other catalog, and has no such option."""
    return "" if version.startswith("1.") else f", DUCKLAKE_VERSION '{_CATALOG_FORMAT}'"


def _quoted(text: str) -> str:
    """A text as SQL: ATTACH and CREATE SECRET take no parameters."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
