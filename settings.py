"""Every setting of Tickwell with its default, unit and help. Only this module reads the environment, .env and secrets.

The first of these wins: Streamlit's secrets (Streamlit itself copies them over the environment), the environment, .env,
the default. Every other module receives values and looks no setting up.
"""

import codecs
import difflib
import hashlib
import hmac
import importlib.util
import io
import os
import platform
import re
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import (
    AnyHttpUrl,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent
PREFIX = "TICKWELL_"
_MARKETS = f"{PREFIX}MARKETS"

# The exchange publishes no limit for readers that do not sign in. 5 a second is a quarter of the limit for signed-in
# readers (docs.deribit.com/articles/rate-limits, read 2026-09), so it is safe.
MAX_REQUESTS_PER_SECOND = 5

_CURRENCY = re.compile(r"[A-Z]{2,10}")

# Options and futures that are priced in one of these are linear: their amounts and prices have other units.
_LINEAR = ("USDC", "USDT", "EURR")

_INDEX_NAME = re.compile(r"[a-z0-9-]+_[a-z]+")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
_CATALOG = re.compile(r"postgres(ql)?://[^\s/@]+(@[^\s/@]+)?/[^\s/?]+(\?\S*)?")
_BETWEEN_ADDRESSES = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LEAST_SECRET = 16
_TOKEN = re.compile(rf"[!-~]{{{_LEAST_SECRET},}}")
_REDIRECT = re.compile(r"https?://[^\s/]+(/\S*)?/oauth2callback")
_RECORDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_MEMORY = re.compile(r"^\d+(\.\d+)? ?[KMGT]i?B$", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\{([^}:]*)\}")  # python-dotenv replaces it; with :- it has a default
_BOM = codecs.BOM_UTF8.decode()
_PORT = re.compile(r"(?:(?P<host>[^\s:\[\]]+|\[[0-9a-fA-F:]+\]):)?(?P<port>\d{1,5})")


class TickwellError(Exception):
    """The root of all errors that Tickwell raises on purpose. Its text is one line, fit for a person to read."""


class SettingsError(TickwellError):
    """A setting can't be used. The start stops here; the operator corrects the setting."""


def _names(value: object) -> object:
    """Split the comma-separated form; drop blanks and repetitions."""
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(name for name in (str(item).strip() for item in value) if name))
    return value


def _names_or_none(value: object) -> object:
    """As `_names`; the word none stands for no name."""
    names = _names(value)
    return () if names == ("none",) else names


def _urls(value: object) -> object:
    """Split addresses at the commas and blanks before the next address: an address may have commas itself."""
    return tuple(filter(None, _BETWEEN_ADDRESSES.split(value.strip(" ,\n")))) if isinstance(value, str) else value


def _is_text(value: object) -> bool:
    """Can it be written as UTF-8 without NUL? Files, addresses and databases need that."""
    try:
        return b"\0" not in str(value).encode()
    except UnicodeEncodeError:  # it has bytes from the environment that are not UTF-8
        return False


def _where_to_listen(value: object) -> object:
    """An address and a port. A port alone gets the address 127.0.0.1."""
    if value is None:
        return None
    found = _PORT.fullmatch(str(value))
    if found is None or not 0 < int(found["port"]) < 65536:
        raise ValueError("neither a port nor address:port")
    return (found["host"] or "127.0.0.1").strip("[]"), int(found["port"])


@dataclass(frozen=True)
class SignIn:
    """The table [auth] of the secrets, which Streamlit uses to let readers sign in.

    Attributes:
        providers: the names that st.login takes, one for each way to sign in.
        cookie_secret: signs the cookie that identifies a reader.
        redirect_uri: the dashboard's own address, with /oauth2callback after it.
    """

    providers: tuple[str, ...]
    cookie_secret: str = field(repr=False)
    redirect_uri: str


@dataclass(frozen=True)
class BucketKeys:
    """The keys of a bucket, by the variables that all programs for buckets share. What is not set is empty.

    Attributes:
        key_id, secret, token: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
        region: AWS_REGION or AWS_DEFAULT_REGION.
        endpoint: AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, the address of a store other than Amazon's.
    """

    key_id: str = ""
    secret: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    region: str = ""
    endpoint: str = ""


class _Secrets(TomlConfigSettingsSource):
    """Streamlit's secrets files. We read only the names with our prefix and the table [auth]."""

    auth: Any = None

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        files: Any = settings_cls.model_config.get("toml_file")
        files = _secrets_files() if files is None else files
        for file in files:
            if _is_folder(Path(file), f"{file} can't be read as a file of secrets"):
                raise SettingsError(f"{file} is a folder: secrets must be in a .toml file")
        super().__init__(settings_cls, files)

    def _read_file(self, file_path: Any) -> dict[str, Any]:
        try:
            content = Path(file_path).read_bytes()
            if content.startswith(codecs.BOM_UTF8):
                raise SettingsError(
                    f"{file_path} begins with a byte order mark, which Streamlit can't read: save it without BOM"
                )
            secrets = tomllib.loads(utf8(content, file_path))
        except (ValueError, RecursionError) as error:
            raise SettingsError(f"{file_path} is not valid TOML: {error}") from error
        except OSError as error:
            raise SettingsError(f"{file_path} can't be read as a file of secrets: {error.strerror}") from error
        self.auth = secrets.get("auth", self.auth)
        ours = {
            name: value
            for name, value in secrets.items()
            if name.startswith(PREFIX) and (value != "" or name == _MARKETS)
        }
        return {name.removeprefix(PREFIX).lower(): value for name, value in ours.items()}


def _no_markets(settings_cls: type[BaseSettings], place: Mapping[str, str | None]) -> InitSettingsSource:
    """No market, if a place has an empty TICKWELL_MARKETS. Any other setting that is empty counts as not set."""
    is_empty = any(name.upper() == _MARKETS and value == "" for name, value in place.items())
    return InitSettingsSource(settings_cls, {"markets": ()} if is_empty else {})


class Settings(BaseSettings):
    """The settings of one start of Tickwell. Frozen; `load` reads them once, at the edge."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=ROOT / ".env",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        extra="ignore",
        frozen=True,
        validate_default=True,
    )
    allowed: ClassVar[dict[str, str]] = {
        "deribit_url": "an address that starts with http:// or https://",
        "demo": "true or false",
        "database": "the path of a file",
        "indexes": "index names as Deribit spells them, separated by commas, such as btc_usd,eth_usd",
        "poll_seconds": "a whole number from 1 to 3600",
        "markets": "currencies as Deribit spells them, separated by commas, such as BTC,ETH, or none",
        "market_seconds": "a whole number from 10 to 3600",
        "options_seconds": "a whole number from 60 to 86400, or 0 for no option chains",
        "poller": "embedded, external or lake",
        "recorder": "a name of letters, digits, dots, hyphens and underscores, at most 64, such as vienna-1",
        "memory_limit": "a size such as 256MB or 1GB",
        "exports_limit": "a size such as 500MB or 2GB",
        "log_level": "DEBUG, INFO, WARNING or ERROR",
        "metrics_port": "a port from 1 to 65535 such as 9464, or an address and a port such as 0.0.0.0:9464",
        "api_token": "at least 16 letters, digits and signs without blanks",
        "allowed_emails": "e-mail addresses, separated by commas",
        "notify_urls": "addresses that apprise knows, such as ntfy://my-topic, separated by commas",
        "alerts_file": "the path of a file",
        "heartbeat_url": "an address that starts with http:// or https://",
        "lake": "an address such as postgresql://user:password@host/database",
    }
    secret: ClassVar[frozenset[str]] = frozenset({"api_token", "notify_urls", "heartbeat_url", "lake"})
    """The settings whose values are never shown."""

    _auth: Any = PrivateAttr(default=None)

    deribit_url: str = Field(
        "https://www.deribit.com/api/v2",
        description="base address of the exchange; the client adds /public/…",
        pattern=r"^https?://[^\s/]\S*$",
    )
    demo: bool = Field(
        default=False,
        description="record from the built-in simulator, in the file demo.duckdb beside the database",
    )
    database: Path = Field(
        Path("data/ticks.duckdb"),
        description="the database file; a relative one counts from the project's root",
    )
    indexes: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        ("btc_usd", "eth_usd"),
        description="index names to record; taking one out keeps its history visible",
    )
    poll_seconds: int = Field(
        5,
        description="seconds between two ticks of an index, 1 to 3600; with INDEXES at most 5 requests a second",
        ge=1,
        le=3600,
    )
    markets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names_or_none)] = Field(
        ("BTC", "ETH"),
        description="currencies whose futures, options, DVOL and funding are recorded; none, or empty: only indexes",
    )
    market_seconds: int = Field(
        60,
        description="seconds between two snapshots of the futures of a currency, 10 to 3600; DVOL is asked as often",
        ge=10,
        le=3600,
    )
    options_seconds: int = Field(
        300,
        description="seconds between two snapshots of all options of a currency, 60 to 86400; 0: none",
        ge=0,
        le=86_400,
    )
    poller: Literal["embedded", "external", "lake"] = Field(
        "embedded",
        description="`embedded`: the dashboard records · `external`: `python -m poller` does, in its own process · "
        "`lake`: nothing records here, and the dashboard reads the lake of LAKE",
    )
    recorder: str | None = Field(
        None,
        description="the name of this recorder in runs, misses and vitals; without it the name of the machine",
    )
    memory_limit: str = Field("256MB", description="DuckDB's own limit", pattern=_MEMORY)
    exports_limit: str = Field(
        "2GB", description="the most that the folder of exports beside the database may hold", pattern=_MEMORY
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="how much is logged")
    metrics_port: Annotated[tuple[str, int] | None, NoDecode, BeforeValidator(_where_to_listen)] = Field(
        None,
        description="where a headless recorder serves its metrics: a port for this machine alone, or address:port",
    )
    api_token: SecretStr | None = Field(
        None,
        description="the token that programs send to read from /api, 16 characters or more",
    )
    allowed_emails: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_names)] = Field(
        (),
        description="e-mail addresses that may sign in, where `[auth]` is in Streamlit's secrets",
    )
    notify_urls: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_urls)] = Field(
        (),
        description="where alerts are sent: addresses of apprise, separated by commas",
    )
    alerts_file: Path = Field(
        Path("alerts.toml"),
        description="the rules of alerts; a relative one counts from the project's root",
    )
    heartbeat_url: SecretStr | None = Field(
        None,
        description="an address that the recorder calls each minute; a service there tells you when the calls end",
    )
    lake: SecretStr | None = Field(
        None,
        description="the catalog of a shared lake, a database of PostgreSQL; a recorder publishes into it",
    )

    @property
    def recorder_name(self) -> str:
        """The name of this recorder: as set, or as the machine has it, with hyphens for what no name may have."""
        its = re.sub(r"[^A-Za-z0-9._-]", "-", platform.node()).lstrip("._-")[:64]
        return self.recorder or its or "recorder"

    @property
    def exports_limit_bytes(self) -> int:
        """`exports_limit` in bytes. DuckDB reads kB as 1000 bytes and KiB as 1024; so does this."""
        written = self.exports_limit.upper().replace(" ", "")
        amount, unit = written.rstrip("KMGTIB"), written.lstrip("0123456789.")
        return int(float(amount) * (1024 if "I" in unit else 1000) ** (1 + "KMGT".index(unit[0])))

    @property
    def period_to_read_s(self) -> int:
        """How often at most something new can be read of an index: recorders publish into a lake once a minute."""
        return max(self.poll_seconds, 60) if self.poller == "lake" else self.poll_seconds

    @property
    def markets_left_out(self) -> str | None:
        """Why the default markets are not recorded, in one line; None if they are, or if MARKETS is set."""
        if self.markets or "markets" in self.model_fields_set:
            return None
        return (
            f"futures, options, DVOL and funding are not recorded: {PREFIX}INDEXES with {len(self.indexes)} names each "
            f"{self.poll_seconds} s leave no room for them in {MAX_REQUESTS_PER_SECOND} requests a second; raise "
            f"{PREFIX}POLL_SECONDS, or set {_MARKETS}=none"
        )

    @property
    def requests_a_second(self) -> float:
        """The average number of requests that recording takes. Logs that are asked each hour don't count."""
        chains = 1 / self.options_seconds if self.options_seconds else 0.0
        return len(self.indexes) / self.poll_seconds + len(self.markets) * (2 / self.market_seconds + chains)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 the signature is pydantic's
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (
            init_settings,
            _Secrets(settings_cls),
            env_settings,
            _no_markets(settings_cls, os.environ),
            dotenv_settings,
            _no_markets(settings_cls, _in_env_file()),
        )

    @field_validator("*", mode="before")
    @classmethod
    def _of_text(cls, given: object) -> object:
        if not all(map(_is_text, given if isinstance(given, list | tuple) else [given])):
            raise ValueError("not a text")
        return given

    @field_validator("deribit_url")
    @classmethod
    def _an_address(cls, url: str) -> str:
        TypeAdapter(AnyHttpUrl).validate_python(url)
        return url.rstrip("/")

    @field_validator("database")
    @classmethod
    def _from_the_root(cls, path: Path, info: ValidationInfo) -> Path:
        try:
            path = ROOT / path.expanduser()
            if info.data.get("demo"):
                path = path.with_name("demo.duckdb")
            is_folder = _is_folder(path, f"{PREFIX}DATABASE = {str(path)!r} can't be used")
        except (OSError, RuntimeError) as error:  # the name is too long, or ~ names a user without a home
            raise ValueError("not a path") from error
        if is_folder:
            raise ValueError("a folder")
        return path

    @field_validator("alerts_file")
    @classmethod
    def _beside_the_root(cls, path: Path) -> Path:
        try:
            path = ROOT / path.expanduser()
            _is_folder(path, f"{PREFIX}ALERTS_FILE = {str(path)!r} can't be used")
        except (OSError, RuntimeError) as error:  # the name is too long, or ~ names a user without a home
            raise ValueError("not a path") from error
        return path

    @field_validator("notify_urls")
    @classmethod
    def _with_a_service(cls, urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        if not all(map(is_notify_url, urls)):
            raise ValueError("not an address")
        return urls

    @field_validator("heartbeat_url")
    @classmethod
    def _callable(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            TypeAdapter(AnyHttpUrl).validate_python(url.get_secret_value())
        return url

    @field_validator("recorder")
    @classmethod
    def _a_name(cls, name: str | None) -> str | None:
        if name is not None and not _RECORDER.fullmatch(name):
            raise ValueError("not a name")
        return name

    @field_validator("lake")
    @classmethod
    def _a_database_of_postgresql(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not _CATALOG.fullmatch(url.get_secret_value()):
            raise ValueError("not the address of a database")
        return url

    @field_validator("indexes")
    @classmethod
    def _as_the_exchange_spells_them(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or not all(map(is_index_name, names)):
            raise ValueError("not an index name")
        return names

    @field_validator("markets")
    @classmethod
    def _currencies(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_CURRENCY.fullmatch, names)):
            raise ValueError("not a currency")
        return names

    @field_validator("options_seconds")
    @classmethod
    def _none_or_a_minute(cls, seconds: int) -> int:
        if 0 < seconds < 60:
            raise ValueError("too often")
        return seconds

    @field_validator("api_token")
    @classmethod
    def _hard_to_guess(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not _TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("too short, or not fit for a header")
        return token

    @field_validator("allowed_emails")
    @classmethod
    def _addresses(cls, emails: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_EMAIL.fullmatch, emails)):
            raise ValueError("not an address")
        return tuple(email.lower() for email in emails)

    @model_validator(mode="after")
    def _with_room_for_the_default(self) -> Self:
        """Leave the default markets out where the indexes leave them no room in the request budget."""
        if "markets" not in self.model_fields_set and self.requests_a_second > MAX_REQUESTS_PER_SECOND:
            self.__dict__["markets"] = ()  # the model is frozen
        return self

    @model_validator(mode="after")
    def _priced_in_a_coin(self) -> Self:
        linear = next((name for name in self.markets if name in _LINEAR), None)
        if linear is not None:
            raise ValueError(
                f"{_MARKETS} names {linear}: what is priced in {linear} is linear and has other units, so only "
                "markets that are priced in their own coin are recorded, such as BTC,ETH"
            )
        return self

    @model_validator(mode="after")
    def _with_a_lake_to_read(self) -> Self:
        if self.poller == "lake" and self.lake is None:
            raise ValueError(
                f"{PREFIX}POLLER = 'lake' reads the lake of {PREFIX}LAKE, which is not set: set it to "
                f"{self.allowed['lake']}"
            )
        if self.poller == "lake" and self.demo:
            raise ValueError(f"{PREFIX}POLLER = 'lake' records nothing, and {PREFIX}DEMO records: set one of the two")
        return self

    @model_validator(mode="after")
    def _within_the_request_budget(self) -> Self:
        count, seconds = len(self.indexes), self.poll_seconds
        if count > MAX_REQUESTS_PER_SECOND * seconds:
            raise ValueError(
                f"{PREFIX}INDEXES with {count} names and {PREFIX}POLL_SECONDS = {seconds} ask for "
                f"{count / seconds:.3g} requests a second: at most {MAX_REQUESTS_PER_SECOND} are allowed, so poll at "
                f"most {MAX_REQUESTS_PER_SECOND * seconds} indexes, or every {-(-count // MAX_REQUESTS_PER_SECOND)} s"
            )
        if self.requests_a_second > MAX_REQUESTS_PER_SECOND:
            raise ValueError(
                f"{PREFIX}INDEXES with {count} names each {seconds} s and {_MARKETS} with {len(self.markets)} "
                f"currencies ask for {self.requests_a_second:.3g} requests a second: at most "
                f"{MAX_REQUESTS_PER_SECOND} are allowed, so raise {PREFIX}POLL_SECONDS or {PREFIX}MARKET_SECONDS"
            )
        return self

    def model_post_init(self, _: Any) -> None:
        self._auth = _Secrets(type(self)).auth

    @cached_property
    def sign_in(self) -> SignIn | None:
        """How readers sign in; None where everyone who reaches a page may read it."""
        return None if self._auth is None else _sign_in(self._auth)

    @cached_property
    def ticket_key(self) -> str | None:
        """The key that signs the tickets for exports; None where the API is open."""
        if self.sign_in is not None:
            secret = self.sign_in.cookie_secret
        elif self.api_token is not None:
            secret = self.api_token.get_secret_value()
        else:
            return None
        return hmac.new(secret.encode(), b"tickets of Tickwell", hashlib.sha256).hexdigest()


def is_index_name(text: str) -> bool:
    """Could the exchange have an index with this name?"""
    return _INDEX_NAME.fullmatch(text) is not None


def is_market(text: str) -> bool:
    """Is a text the spelling of a currency whose market can be recorded?"""
    return _CURRENCY.fullmatch(text) is not None and text not in _LINEAR


def is_notify_url(url: SecretStr) -> bool:
    """Does it have the form of an apprise address?"""
    return _ADDRESS.fullmatch(url.get_secret_value()) is not None


def _is_folder(path: Path, refusal: str) -> bool:
    """Is the path a folder?

    Raises:
        SettingsError: a folder on the way may not be entered; the line begins with `refusal`.
    """
    try:
        return path.is_dir()
    except PermissionError as error:
        raise SettingsError(f"{refusal}: {error.strerror}") from error


def utf8(content: bytes, path: object) -> str:
    """The text of a file in UTF-8. A byte order mark at its beginning is left out.

    Raises:
        SettingsError: one line that names the file and says what its bytes are.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8: save it as UTF-8") from error
    if "\0" in text:  # UTF-16 of plain letters reads as UTF-8 with a NUL beside each letter, and hides every name
        raise SettingsError(f"{path} looks like UTF-16, as it has NUL bytes: save it as UTF-8")
    if _BOM in text:  # it is what joining two files leaves, and hides the name after it
        line = text[: text.index(_BOM)].count("\n") + 1
        raise SettingsError(f"{path} has a byte order mark in line {line}: save it as UTF-8 without BOM")
    return text


def shared_variable(name: str) -> tuple[str, str]:
    """The name, as it is spelled, and the value of a variable that programs share, such as HTTPS_PROXY.

    The value is "" where the variable is not set. The small spelling wins over the capital one, as in other programs.
    """
    spelled = max((each for each in os.environ if each.lower() == name.lower()), default=name)
    return spelled, os.environ.get(spelled, "")


def environment_of_publisher(settings: Settings) -> dict[str, str]:
    """The environment of a publisher: ours, with the settings of the file and the lake, wherever they come from."""
    given = {
        "database": str(settings.database),
        "lake": settings.lake.get_secret_value() if settings.lake else "",
        "recorder": settings.recorder_name,
        "memory_limit": settings.memory_limit,
        "log_level": settings.log_level,
    }
    return {**os.environ, **{f"{PREFIX}{name.upper()}": value for name, value in given.items()}}


def bucket_keys() -> BucketKeys:
    """The keys of a bucket that the environment has."""
    return BucketKeys(
        _first_set("AWS_ACCESS_KEY_ID"),
        _first_set("AWS_SECRET_ACCESS_KEY"),
        _first_set("AWS_SESSION_TOKEN"),
        _first_set("AWS_REGION", "AWS_DEFAULT_REGION"),
        _first_set("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    )


def _first_set(*names: str) -> str:
    return next((value for value in map(os.environ.get, names) if value), "")


def load() -> Settings:
    """Read all settings.

    Raises:
        SettingsError: one line that names each setting that can't be used, its value and what is allowed.
    """
    unknown = sorted(name for name in _given_names() if name.removeprefix(PREFIX).lower() not in Settings.model_fields)
    if unknown:
        raise SettingsError("; ".join(map(_unknown, unknown)))
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_line(dict(fault)) for fault in error.errors())) from error


def check_secrets() -> None:
    """Check that the files of secrets can be read.

    Raises:
        SettingsError: one line that names a file that can't be read.
    """
    _Secrets(Settings)


def load_to_serve() -> Settings:
    """Read all settings of a server of pages, and check that its sign-in is complete.

    Raises:
        SettingsError: as of `load`; or nobody could sign in, or anyone could.
    """
    settings = load()
    if settings.sign_in is None and settings.allowed_emails:
        raise SettingsError(
            f"{PREFIX}ALLOWED_EMAILS is set, but nobody could sign in: put [auth] into Streamlit's secrets "
            "(docs/sign-in.md), or take the setting away to let everyone read"
        )
    if settings.sign_in is not None and not settings.allowed_emails:
        raise SettingsError(
            f"[auth] is in Streamlit's secrets, but nobody is allowed to sign in: set {PREFIX}ALLOWED_EMAILS to their "
            "addresses"
        )
    if settings.sign_in is not None and importlib.util.find_spec("authlib") is None:
        raise SettingsError(
            "[auth] is in Streamlit's secrets, but Authlib isn't installed: pip install -r requirements.txt"
        )
    return settings


def _secrets_files() -> Sequence[str | Path]:
    """The files that Streamlit takes its secrets from; the last file wins."""
    streamlit_config = sys.modules.get("streamlit.config")
    if streamlit_config is not None:
        files: list[str] = streamlit_config.get_option("secrets.files")
        return files
    named = os.environ.get("STREAMLIT_SECRETS_FILES", "").split()
    return named or [Path.home() / ".streamlit/secrets.toml", ROOT / ".streamlit/secrets.toml"]


def _sign_in(auth: Any) -> SignIn:
    """Read [auth]. Streamlit would find these errors only when a reader signs in; here they end the start."""
    if not isinstance(auth, dict):
        raise SettingsError("auth in the secrets must be a table, which begins with [auth]")
    named = {name: part for name, part in auth.items() if isinstance(part, dict) and name != "client_kwargs"}
    unnamed = {"default": auth} if "client_id" in auth or not named else {}
    missing = [f"{key} in [auth]" for key in ("redirect_uri", "cookie_secret") if not auth.get(key)] + [
        f"{key} in [auth{'' if part is auth else f'.{name}'}]"
        for name, part in (unnamed | named).items()
        for key in ("client_id", "client_secret", "server_metadata_url")
        if not part.get(key)
    ]
    if missing:
        raise SettingsError(f"the secrets lack {', '.join(missing)}")
    odd = next((name for name in named if "_" in name), None)
    if odd is not None:
        raise SettingsError(f"[auth.{odd}] in the secrets: the name of a provider must be without _")
    if not _REDIRECT.fullmatch(str(auth["redirect_uri"])):
        raise SettingsError(
            "redirect_uri in [auth] must be this dashboard's address with /oauth2callback after it, such as "
            "http://localhost:8501/oauth2callback"
        )
    if len(str(auth["cookie_secret"])) < _LEAST_SECRET:
        raise SettingsError(f"cookie_secret in [auth] must have at least {_LEAST_SECRET} characters")
    return SignIn(tuple(unnamed | named), str(auth["cookie_secret"]), str(auth["redirect_uri"]))


def _given_names() -> set[str]:
    """The names with our prefix in the environment, in .env and in the secrets."""
    env_file, in_file = _env_file(), _in_env_file()
    for name, value in in_file.items():
        for referred in _REFERENCE.findall(value or "") if name.startswith(PREFIX) else ():
            if referred not in {*os.environ, *in_file}:  # python-dotenv would leave it out without a word
                raise SettingsError(f"{env_file}: {name} has ${{{referred}}}, but no such variable is set")
    given = {name for name in (*os.environ, *in_file) if name.startswith(PREFIX)}
    return given | {PREFIX + name.upper() for name in _Secrets(Settings).toml_data}


def _env_file() -> Path:
    return Path(str(Settings.model_config.get("env_file")))


def _in_env_file() -> dict[str, str | None]:
    """The lines of .env, as they stand there.

    Raises:
        SettingsError: a line can't be read. The message leaves out what it says, which may be secret.
    """
    env_file = _env_file()
    text = _text_of(env_file)
    for found in parse_stream(io.StringIO(text)):
        written = found.original.string
        is_ours = found.key is not None and found.key.startswith(PREFIX)
        if found.error or (is_ours and found.value is None):
            line = found.original.line + len(written[: len(written) - len(written.lstrip())].splitlines())
            raise SettingsError(f"{env_file}: line {line} can't be read, must be NAME=value")
    return dotenv_values(stream=io.StringIO(text), interpolate=False)


def _text_of(env_file: Path) -> str:
    """The text of a .env file; empty if there is none."""
    try:
        return utf8(env_file.read_bytes(), env_file)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise SettingsError(f"{env_file} can't be read as a file of settings: {error.strerror}") from error


def _unknown(name: str) -> str:
    known = [field.upper() for field in Settings.model_fields]
    nearest = difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1)
    candidates = ", ".join(PREFIX + field for field in nearest or known)
    hint = f"did you mean {candidates}?" if nearest else f"the settings are {candidates}"
    return f"{name} is not a setting: {hint}"


def _line(fault: dict[str, Any]) -> str:
    if not fault["loc"]:
        return str(fault["ctx"]["error"])
    name = str(fault["loc"][0])
    given = "" if name in Settings.secret else f" = {str(fault['input'])!r}"
    return f"{PREFIX}{name.upper()}{given}: must be {Settings.allowed[name]}"
