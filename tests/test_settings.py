"""A start does what it was asked to do, or stops with one line that says what is wrong."""

import codecs
import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from settings import (
    MAX_REQUESTS_PER_SECOND,
    PREFIX,
    ROOT,
    BucketKeys,
    Settings,
    SettingsError,
    TickwellError,
    bucket_keys,
    environment_of_publisher,
    load,
)
from tests.support.rights import without_access

CURRENCIES = "currencies as Deribit spells them, separated by commas, such as BTC,ETH, or none"
PORTS = "a port from 1 to 65535 such as 9464, or an address and a port such as 0.0.0.0:9464"
INDEX_NAMES = "index names as Deribit spells them, separated by commas, such as btc_usd,eth_usd"


@pytest.fixture(autouse=True)
def _default_markets(monkeypatch):
    """Most other tests record no market; here the default counts."""
    monkeypatch.delenv("TICKWELL_MARKETS")


@pytest.fixture
def given_(monkeypatch):
    """Put settings into the environment, by their names without the prefix."""

    def give(**values):
        for name, value in values.items():
            monkeypatch.setenv(PREFIX + name, value)

    return give


@dataclass
class Files:
    env: Path
    secrets: Path
    own_secrets: Path


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The paths of a .env, and of the secrets of a person and of the project; none exists yet."""
    files = Files(tmp_path / ".env", tmp_path / "secrets.toml", tmp_path / "own.toml")
    monkeypatch.setitem(Settings.model_config, "env_file", files.env)
    monkeypatch.setitem(Settings.model_config, "toml_file", [files.own_secrets, files.secrets])
    return files


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load()
    return str(caught.value)


def test_without_any_setting_the_defaults_count():
    loaded = load()

    assert loaded.model_dump() == {
        "deribit_url": "https://www.deribit.com/api/v2",
        "demo": False,
        "database": ROOT / "data/ticks.duckdb",
        "indexes": ("btc_usd", "eth_usd"),
        "poll_seconds": 5,
        "markets": ("BTC", "ETH"),
        "market_seconds": 60,
        "options_seconds": 300,
        "poller": "embedded",
        "recorder": None,
        "memory_limit": "256MB",
        "exports_limit": "2GB",
        "log_level": "INFO",
        "metrics_port": None,
        "api_token": None,
        "allowed_emails": (),
        "notify_urls": (),
        "alerts_file": ROOT / "alerts.toml",
        "heartbeat_url": None,
        "lake": None,
    }


def test_each_setting_is_read_from_the_environment(given_, tmp_path):
    given_(
        DERIBIT_URL="http://127.0.0.1:8601/api/v2",
        DEMO="false",
        DATABASE=str(tmp_path / "mine.duckdb"),
        INDEXES="sol_usd",
        POLL_SECONDS="60",
        MARKETS="BTC, ETH",
        MARKET_SECONDS="30",
        OPTIONS_SECONDS="0",
        POLLER="external",
        RECORDER="vienna-1",
        MEMORY_LIMIT="1.5 GiB",
        EXPORTS_LIMIT="500MB",
        LOG_LEVEL="DEBUG",
        METRICS_PORT="9464",
        API_TOKEN="sixteen-signs-or-more",
        ALLOWED_EMAILS="Reader@Example.com, owner@example.com",
        NOTIFY_URLS="ntfy://a,b, mailto://me:secret@example.com",
        ALERTS_FILE="mine/alerts.toml",
        HEARTBEAT_URL="https://beats.example.com/1234",
        LAKE="postgresql://tickwell:secret@db.example.com:5433/lake?sslmode=require",
    )

    loaded = load()

    assert loaded.model_dump() == {
        "deribit_url": "http://127.0.0.1:8601/api/v2",
        "demo": False,
        "database": tmp_path / "mine.duckdb",
        "indexes": ("sol_usd",),
        "poll_seconds": 60,
        "markets": ("BTC", "ETH"),
        "market_seconds": 30,
        "options_seconds": 0,
        "poller": "external",
        "recorder": "vienna-1",
        "memory_limit": "1.5 GiB",
        "exports_limit": "500MB",
        "log_level": "DEBUG",
        "metrics_port": ("127.0.0.1", 9464),
        "api_token": SecretStr("sixteen-signs-or-more"),
        "allowed_emails": ("reader@example.com", "owner@example.com"),
        "notify_urls": (SecretStr("ntfy://a,b"), SecretStr("mailto://me:secret@example.com")),
        "alerts_file": ROOT / "mine/alerts.toml",
        "heartbeat_url": SecretStr("https://beats.example.com/1234"),
        "lake": SecretStr("postgresql://tickwell:secret@db.example.com:5433/lake?sslmode=require"),
    }


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("DERIBIT_URL", "www.deribit.com", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "ftp://www.deribit.com", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "https://", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "https:///api/v2", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "http://[::1", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "http://exchange.test:port", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "http://exchange.test:65536", "an address that starts with http:// or https://"),
        ("DERIBIT_URL", "https://a b", "an address that starts with http:// or https://"),
        ("DEMO", "perhaps", "true or false"),
        ("DATABASE", "data", "the path of a file"),
        ("DATABASE", ".", "the path of a file"),
        ("DATABASE", "~nobody-has-this-name/ticks.duckdb", "the path of a file"),
        ("DATABASE", "x" * 5000, "the path of a file"),
        ("INDEXES", ",", INDEX_NAMES),
        ("INDEXES", "BTC_USD,eth_usd", INDEX_NAMES),
        ("INDEXES", "btc_usd eth_usd", INDEX_NAMES),
        ("INDEXES", "btc", INDEX_NAMES),
        ("INDEXES", "btc_usd;drop", INDEX_NAMES),
        ("POLL_SECONDS", "0", "a whole number from 1 to 3600"),
        ("POLL_SECONDS", "3601", "a whole number from 1 to 3600"),
        ("POLL_SECONDS", "-5", "a whole number from 1 to 3600"),
        ("POLL_SECONDS", "2.5", "a whole number from 1 to 3600"),
        ("POLL_SECONDS", "often", "a whole number from 1 to 3600"),
        ("MARKETS", "btc", CURRENCIES),
        ("MARKETS", "BTC_USD", CURRENCIES),
        ("MARKETS", "none,BTC", CURRENCIES),
        ("MARKET_SECONDS", "9", "a whole number from 10 to 3600"),
        ("MARKET_SECONDS", "3601", "a whole number from 10 to 3600"),
        ("OPTIONS_SECONDS", "59", "a whole number from 60 to 86400, or 0 for no option chains"),
        ("OPTIONS_SECONDS", "86401", "a whole number from 60 to 86400, or 0 for no option chains"),
        ("OPTIONS_SECONDS", "-1", "a whole number from 60 to 86400, or 0 for no option chains"),
        ("POLLER", "maybe", "embedded, external or lake"),
        ("POLLER", "Embedded", "embedded, external or lake"),
        ("MEMORY_LIMIT", "lots", "a size such as 256MB or 1GB"),
        ("MEMORY_LIMIT", "256", "a size such as 256MB or 1GB"),
        ("MEMORY_LIMIT", "256MBytes", "a size such as 256MB or 1GB"),
        ("MEMORY_LIMIT", "about 256MB", "a size such as 256MB or 1GB"),
        ("LOG_LEVEL", "info", "DEBUG, INFO, WARNING or ERROR"),
        ("LOG_LEVEL", "CHATTY", "DEBUG, INFO, WARNING or ERROR"),
        ("METRICS_PORT", "0", PORTS),
        ("METRICS_PORT", "65536", PORTS),
        ("METRICS_PORT", "-1", PORTS),
        ("METRICS_PORT", "http", PORTS),
        ("METRICS_PORT", ":9464", PORTS),
        ("METRICS_PORT", "localhost:", PORTS),
        ("METRICS_PORT", "::1:9464", PORTS),
        ("METRICS_PORT", "http://localhost:9464", PORTS),
        ("ALLOWED_EMAILS", "example.com", "e-mail addresses, separated by commas"),
        ("ALLOWED_EMAILS", "a@b.c d@e.f", "e-mail addresses, separated by commas"),
        ("ALERTS_FILE", "~no-such-user/alerts.toml", "the path of a file"),
        ("ALERTS_FILE", "x" * 5000, "the path of a file"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(given_, name, value, allowed):
    given_(**{name: value})

    assert refusal() == f"TICKWELL_{name} = {value!r}: must be {allowed}"


@pytest.mark.parametrize("currency", ["USDC", "USDT", "EURR"])
def test_a_linear_market_is_refused_with_the_reason(given_, currency):
    given_(MARKETS=f"BTC,{currency}")

    assert refusal() == (
        f"TICKWELL_MARKETS names {currency}: what is priced in {currency} is linear and has other units, so only "
        "markets that are priced in their own coin are recorded, such as BTC,ETH"
    )


def test_the_word_none_takes_the_markets_out(given_):
    given_(MARKETS="none")

    assert load().markets == ()


def test_an_empty_value_takes_the_markets_out_and_a_value_of_an_earlier_place_wins(given_, files):
    files.env.write_text("TICKWELL_MARKETS=\n")
    assert load().markets == ()

    given_(MARKETS="ETH")
    assert load().markets == ("ETH",)

    given_(MARKETS="")
    files.env.write_text("TICKWELL_MARKETS=BTC\n")
    assert load().markets == ()

    files.secrets.write_text('TICKWELL_MARKETS = "BTC"\n')
    assert load().markets == ("BTC",)

    given_(MARKETS="BTC")
    files.secrets.write_text('TICKWELL_MARKETS = ""\n')
    assert load().markets == ()


def test_indexes_without_room_for_the_default_markets_are_recorded_alone(given_):
    given_(INDEXES="a_usd,b_usd,c_usd,d_usd,e_usd", POLL_SECONDS="1")

    loaded = load()

    assert loaded.markets == ()
    assert loaded.markets_left_out == (
        "futures, options, DVOL and funding are not recorded: TICKWELL_INDEXES with 5 names each 1 s leave no room for "
        "them in 5 requests a second; raise TICKWELL_POLL_SECONDS, or set TICKWELL_MARKETS=none"
    )


@pytest.mark.parametrize("given", [{}, {"MARKETS": "none"}, {"MARKETS": ""}, {"MARKETS": "ETH"}])
def test_no_line_says_so_where_the_markets_have_room_or_are_set(given_, given):
    given_(**given)

    assert load().markets_left_out is None


def test_several_bad_values_are_named_in_one_line(given_):
    given_(POLLER="maybe", POLL_SECONDS="often\nand more")

    assert refusal() == (
        r"TICKWELL_POLL_SECONDS = 'often\nand more': must be a whole number from 1 to 3600; "
        "TICKWELL_POLLER = 'maybe': must be embedded, external or lake"
    )


def test_a_refusal_is_an_error_of_tickwell(given_):
    given_(POLLER="maybe")

    with pytest.raises(TickwellError):
        load()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("POLL_SECOND", "did you mean TICKWELL_POLL_SECONDS?"),
        ("INDEX", "did you mean TICKWELL_INDEXES?"),
        ("DB", None),
        ("XYZ", None),
    ],
)
def test_a_name_that_is_no_setting_is_refused_with_the_nearest_one_or_all(given_, name, hint):
    given_(**{name: "1"})
    every = ", ".join(PREFIX + field.upper() for field in Settings.model_fields)

    assert refusal() == f"TICKWELL_{name} is not a setting: {hint or f'the settings are {every}'}"


def test_several_names_that_are_no_settings_are_refused_in_one_line(given_):
    given_(INDEX="btc_usd", POLER="external")

    assert refusal() == (
        "TICKWELL_INDEX is not a setting: did you mean TICKWELL_INDEXES?; "
        "TICKWELL_POLER is not a setting: did you mean TICKWELL_POLLER?"
    )


def test_a_name_in_the_env_file_that_is_no_setting_is_refused(files):
    files.env.write_text("TICKWELL_POLER=external\nPOLER=not ours\n")

    assert refusal() == "TICKWELL_POLER is not a setting: did you mean TICKWELL_POLLER?"


def test_names_without_our_prefix_are_ignored(files, monkeypatch):
    monkeypatch.setenv("POLL_SECONDS", "7")
    files.env.write_text("POLL_SECONDS=8\n")
    files.secrets.write_text('POLL_SECONDS = 9\npassword = "x"\n[auth]\nTICKWELL_POLL_SECONDS = 10\n')

    assert load().poll_seconds == 5


def test_secrets_win_over_the_environment_that_wins_over_the_env_file_that_wins_over_the_default(files, given_):
    seen = [load().poll_seconds]
    files.env.write_text("TICKWELL_POLL_SECONDS=10\n")
    seen.append(load().poll_seconds)
    given_(POLL_SECONDS="20")
    seen.append(load().poll_seconds)
    files.own_secrets.write_text("TICKWELL_POLL_SECONDS = 30\n")
    seen.append(load().poll_seconds)
    files.secrets.write_text("TICKWELL_POLL_SECONDS = 40\n")
    seen.append(load().poll_seconds)

    assert seen == [5, 10, 20, 30, 40]


def test_each_source_supplies_the_settings_that_the_others_leave_out(files, given_):
    files.env.write_text("TICKWELL_POLLER=external\nTICKWELL_LOG_LEVEL=ERROR\n")
    files.secrets.write_text('TICKWELL_INDEXES = ["sol_usd", "xrp_usd"]\n')
    given_(LOG_LEVEL="DEBUG")

    loaded = load()

    assert (loaded.poller, loaded.log_level, loaded.indexes) == ("external", "DEBUG", ("sol_usd", "xrp_usd"))


def test_a_name_in_secrets_that_is_no_setting_is_refused(files):
    files.secrets.write_text("TICKWELL_POLL_SECOND = 1\n")

    with pytest.raises(SettingsError) as refused:
        load()

    assert str(refused.value) == "TICKWELL_POLL_SECOND is not a setting: did you mean TICKWELL_POLL_SECONDS?"


def test_a_bad_value_in_secrets_is_named_like_any_other(files):
    files.secrets.write_text("TICKWELL_POLL_SECONDS = 0\n")

    assert refusal() == "TICKWELL_POLL_SECONDS = '0': must be a whole number from 1 to 3600"


def test_indexes_that_are_no_names_at_all_are_refused(files):
    files.secrets.write_text("TICKWELL_INDEXES = 7\n")

    assert refusal() == f"TICKWELL_INDEXES = '7': must be {INDEX_NAMES}"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("TICKWELL_POLL_SECONDS=7\n".encode("utf-16"), "is not UTF-8: save it as UTF-8"),
        ("TICKWELL_POLL_SECONDS=7\n".encode("utf-16-le"), "looks like UTF-16, as it has NUL bytes: save it as UTF-8"),
        ("# the café's\nTICKWELL_POLL_SECONDS=7\n".encode("latin-1"), "is not UTF-8: save it as UTF-8"),
        (b"TICKWELL_DATABASE=mine\0.duckdb\n", "looks like UTF-16, as it has NUL bytes: save it as UTF-8"),
        (b"# first\n" + codecs.BOM_UTF8 + b"X=1\n", "has a byte order mark in line 2: save it as UTF-8 without BOM"),
    ],
)
def test_an_env_file_that_is_not_utf_8_is_refused_by_name(files, content, fault):
    files.env.write_bytes(content)

    assert refusal() == f"{files.env} {fault}"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("TICKWELL_POLL_SECONDS=7\nTICKWELL_POLLER external\n", 2),
        ("\n\n# a comment\n\nTICKWELL_POLLER: external", 5),
        ("TICKWELL_API_TOKEN\n", 1),
        ("TICKWELL_POLLER='external\n", 1),
    ],
)
def test_an_env_file_with_a_line_that_sets_nothing_is_refused_by_name(files, content, line, caplog):
    files.env.write_text(content)

    assert refusal() == f"{files.env}: line {line} can't be read, must be NAME=value"
    assert not caplog.messages


def test_an_env_file_may_have_names_of_other_programs_without_a_value(files):
    files.env.write_text("OTHER\nTICKWELL_POLL_SECONDS=7\n")

    assert load().poll_seconds == 7


def test_an_env_file_that_refers_to_a_variable_that_is_not_set_is_refused_without_its_value(files):
    files.env.write_text("TICKWELL_NOTIFY_URLS=mailtos://me:pa${NOWHERE}ss@example.com\n")

    assert refusal() == f"{files.env}: TICKWELL_NOTIFY_URLS has ${{NOWHERE}}, but no such variable is set"


def test_an_env_file_may_refer_to_variables_and_defaults(files, monkeypatch):
    monkeypatch.setenv("FOLDER", "/a")
    files.env.write_text("NAME=b\nOTHER=${NOWHERE}\nTICKWELL_DATABASE=${FOLDER}/${NAME}/${NOWHERE:-c}.duckdb\n")

    assert load().database == Path("/a/b/c.duckdb")


def test_an_env_file_may_begin_with_the_mark_of_utf_8(files):
    files.env.write_text("TICKWELL_POLL_SECONDS=7\n", "utf-8-sig")

    assert load().poll_seconds == 7


def test_an_env_file_that_is_a_folder_is_refused_by_name(files):
    files.env.mkdir()

    assert refusal() == f"{files.env} can't be read as a file of settings: Is a directory"


def test_an_env_file_that_cannot_be_read_is_refused_by_name(monkeypatch):
    monkeypatch.setitem(Settings.model_config, "env_file", "/proc/self/mem")

    assert refusal() == "/proc/self/mem can't be read as a file of settings: Input/output error"


@pytest.mark.parametrize(("name", "kind"), [(".env", "settings"), ("secrets.toml", "secrets")])
def test_a_file_in_a_folder_that_may_not_be_entered_is_refused_by_name(files, tmp_path, monkeypatch, name, kind):
    folder = tmp_path / "folder"
    folder.mkdir()
    if kind == "settings":
        monkeypatch.setitem(Settings.model_config, "env_file", folder / name)
    else:
        monkeypatch.setitem(Settings.model_config, "toml_file", [folder / name])

    with without_access(folder):
        said = refusal()

    assert said == f"{folder / name} can't be read as a file of {kind}: Permission denied"


@pytest.mark.parametrize("name", [field.upper() for field in Settings.model_fields])
@pytest.mark.parametrize("written", ['"https://a.example/\\u0000"', '["https://a.example/\\u0000"]'])
def test_a_value_with_nul_is_refused_whatever_it_is_for(files, name, written):
    files.secrets.write_text(f"TICKWELL_{name} = {written}\n")

    said = refusal()

    assert said.startswith(f"TICKWELL_{name}")
    assert said.endswith(f": must be {Settings.allowed[name.lower()]}")


def test_a_value_that_is_not_utf_8_is_refused(monkeypatch):
    monkeypatch.setitem(os.environb, b"TICKWELL_DATABASE", b"caf\xe9.duckdb")

    assert refusal() == r"TICKWELL_DATABASE = 'caf\udce9.duckdb': must be the path of a file"


@pytest.mark.parametrize(
    "content", [b"TICKWELL_POLLER = external\n", b"TICKWELL_POLLER = '\x01'\n", b"deep = " + b"[" * 100_000]
)
def test_secrets_that_cannot_be_read_are_refused_in_one_line(files, content):
    files.secrets.write_bytes(content)

    said = refusal()

    assert said.startswith(f"{files.secrets} is not valid TOML: ")
    assert "\n" not in said


@pytest.mark.parametrize(
    ("encoding", "fault"),
    [
        ("utf-8-sig", "begins with a byte order mark, which Streamlit can't read: save it without BOM"),
        ("utf-16", "is not UTF-8: save it as UTF-8"),
        ("utf-16-le", "looks like UTF-16, as it has NUL bytes: save it as UTF-8"),
    ],
)
def test_secrets_in_another_encoding_are_refused_by_name(files, encoding, fault):
    files.secrets.write_text("TICKWELL_POLL_SECONDS = 7\n", encoding)

    assert refusal() == f"{files.secrets} {fault}"


@pytest.mark.parametrize("name", sorted({field.upper() for field in Settings.model_fields} - {"MARKETS"}))
def test_a_blank_value_counts_as_unset_in_every_source(files, given_, name):
    default = load()
    given_(**{name: ""})
    files.env.write_text(f"TICKWELL_{name}=\n")
    files.secrets.write_text(f'TICKWELL_{name} = ""\n')

    assert load() == default


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("btc_usd", ("btc_usd",)),
        (" sol_usd , btc_usd,", ("sol_usd", "btc_usd")),
        ("btc_usd,eth_usd,btc_usd", ("btc_usd", "eth_usd")),
        ("btc_usdc,usyc-old_usd,1inch_usdt", ("btc_usdc", "usyc-old_usd", "1inch_usdt")),
    ],
)
def test_index_names_are_split_at_commas_without_blanks_and_repetitions(given_, text, names):
    given_(INDEXES=text)

    assert load().indexes == names


def test_a_slash_at_the_end_of_the_address_does_not_matter(given_):
    given_(DERIBIT_URL="https://test.deribit.com/api/v2/")

    assert load().deribit_url == "https://test.deribit.com/api/v2"


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("9464", ("127.0.0.1", 9464)),
        ("1", ("127.0.0.1", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),  # noqa: S104 it is asked for
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_metrics_are_served_to_this_machine_alone_unless_an_address_is_named(given_, text, where):
    given_(METRICS_PORT=text)

    assert load().metrics_port == where


def test_the_port_of_the_metrics_may_be_a_number_in_secrets(files):
    files.secrets.write_text("TICKWELL_METRICS_PORT = 9464\n")

    assert load().metrics_port == ("127.0.0.1", 9464)


def test_a_relative_database_counts_from_the_projects_root_wherever_it_is_started(given_, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given_(DATABASE="elsewhere/mine.duckdb")

    assert load().database == ROOT / "elsewhere/mine.duckdb"


def test_the_database_may_be_in_the_home_folder(given_, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    given_(DATABASE="~/mine.duckdb")

    assert load().database == tmp_path / "mine.duckdb"


@pytest.mark.parametrize(
    ("database", "demo"),
    [
        (None, ROOT / "data/demo.duckdb"),
        ("/var/lib/tickwell/mine.duckdb", Path("/var/lib/tickwell/demo.duckdb")),
        ("elsewhere/mine.duckdb", ROOT / "elsewhere/demo.duckdb"),
    ],
)
def test_the_demo_has_a_file_of_its_own_beside_the_database(given_, database, demo):
    given_(DEMO="true", **({"DATABASE": database} if database else {}))

    assert load().database == demo


def test_twelve_indexes_every_second_are_refused_with_the_arithmetic(given_):
    given_(INDEXES=",".join(f"a{number}_usd" for number in range(12)), POLL_SECONDS="1")

    assert refusal() == (
        "TICKWELL_INDEXES with 12 names and TICKWELL_POLL_SECONDS = 1 ask for 12 requests a second: at most 5 are "
        "allowed, so poll at most 5 indexes, or every 3 s"
    )


def test_markets_beyond_the_request_budget_are_refused_with_the_arithmetic(given_):
    given_(INDEXES="a_usd,b_usd,c_usd,d_usd", POLL_SECONDS="1", MARKETS="BTC,ETH", OPTIONS_SECONDS="60")
    assert load().requests_a_second == pytest.approx(4 + 4 / 60 + 2 / 60)

    given_(MARKETS="BTC,ETH,SOL", MARKET_SECONDS="10", OPTIONS_SECONDS="0", INDEXES="a_usd,b_usd,c_usd,d_usd,e_usd")
    assert refusal() == (
        "TICKWELL_INDEXES with 5 names each 1 s and TICKWELL_MARKETS with 3 currencies ask for 5.6 requests a second: "
        "at most 5 are allowed, so raise TICKWELL_POLL_SECONDS or TICKWELL_MARKET_SECONDS"
    )


@given(count=st.integers(1, 60), seconds=st.integers(1, 20))
@example(count=5, seconds=1)
@example(count=6, seconds=1)
@example(count=11, seconds=2)
def test_more_requests_than_the_budget_are_refused_and_both_ways_out_are_accepted(count, seconds):
    names = [f"a{number}_usd" for number in range(count)]

    if count / seconds <= MAX_REQUESTS_PER_SECOND:
        assert len(Settings(indexes=names, poll_seconds=seconds).indexes) == count
        return
    with pytest.raises(ValidationError) as caught:
        Settings(indexes=names, poll_seconds=seconds)
    *_, fewer, slower = (int(word) for word in str(caught.value).split(" [")[0].split() if word.isdigit())

    assert Settings(indexes=names[:fewer], poll_seconds=seconds).indexes == tuple(names[:fewer])
    assert Settings(indexes=names, poll_seconds=slower).poll_seconds == slower
    assert len(names[: fewer + 1]) / seconds > MAX_REQUESTS_PER_SECOND
    assert slower == seconds + 1 or count / (slower - 1) > MAX_REQUESTS_PER_SECOND


def test_settings_do_not_change_after_the_start():
    loaded = load()

    with pytest.raises(ValidationError, match="frozen"):
        loaded.poll_seconds = 7  # type: ignore[misc]  # the type checker knows it too


@pytest.mark.parametrize("field", Settings.model_fields)
def test_each_setting_says_what_it_means_and_what_it_allows(field):
    assert Settings.model_fields[field].description
    assert Settings.allowed[field]


def test_each_description_of_allowed_values_belongs_to_a_setting():
    assert Settings.allowed.keys() == Settings.model_fields.keys()


@pytest.mark.parametrize(
    ("written", "is_bytes"),
    [("2GB", 2 * 10**9), ("1.5 GiB", 3 * 2**29), ("500mb", 500 * 10**6), ("4 kB", 4000), ("1TB", 10**12)],
)
def test_the_size_of_the_exports_is_read_as_duckdb_reads_sizes(make_settings, written: str, is_bytes: int):
    assert make_settings(exports_limit=written).exports_limit_bytes == is_bytes


LAKES = "an address such as postgresql://user:password@host/database"


@pytest.mark.parametrize("url", ["mysql://db/lake", "postgresql://db", "postgresql://db/", "postgresql:///lake", "a b"])
def test_a_lake_is_a_database_of_postgresql(given_, url):
    given_(LAKE=url)

    assert refusal() == f"TICKWELL_LAKE: must be {LAKES}"


def test_a_dashboard_of_a_lake_needs_its_address(given_):
    given_(POLLER="lake")

    assert refusal() == f"TICKWELL_POLLER = 'lake' reads the lake of TICKWELL_LAKE, which is not set: set it to {LAKES}"


def test_a_dashboard_of_a_lake_records_no_demo(given_):
    given_(POLLER="lake", DEMO="true", LAKE="postgresql://reader@db/lake")

    assert refusal() == "TICKWELL_POLLER = 'lake' records nothing, and TICKWELL_DEMO records: set one of the two"


@pytest.mark.parametrize(
    ("poller", "poll_seconds", "period_s"), [("embedded", 5, 5), ("lake", 5, 60), ("lake", 300, 300)]
)
def test_a_lake_has_something_new_once_a_minute(make_settings, poller: str, poll_seconds: int, period_s: int):
    settings = make_settings(poller=poller, lake="postgresql://reader@db/lake", poll_seconds=poll_seconds)

    assert settings.period_to_read_s == period_s


@pytest.mark.parametrize("name", ["two words", "-first", "a" * 65, "wien/1", "österreich"])
def test_a_recorder_has_a_short_name_of_plain_signs(given_, name):
    given_(RECORDER=name)

    assert refusal() == (
        f"TICKWELL_RECORDER = {name!r}: must be a name of letters, digits, dots, hyphens and underscores, at most 64, "
        "such as vienna-1"
    )


@pytest.mark.parametrize(
    ("machine", "name"),
    [("vienna.example.com", "vienna.example.com"), ("Ada's_Mac", "Ada-s_Mac"), ("h" * 99, "h" * 64), ("", "recorder")],
)
def test_a_recorder_without_a_name_has_that_of_its_machine(make_settings, monkeypatch, machine, name):
    monkeypatch.setattr("platform.node", lambda: machine)

    assert make_settings().recorder_name == name
    assert make_settings(recorder="mine").recorder_name == "mine"


def test_the_keys_of_a_bucket_have_the_names_that_all_programs_share(monkeypatch):
    for name in ("AWS_SESSION_TOKEN", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://store.example.com")

    keys = bucket_keys()

    assert keys == BucketKeys("id", "secret", "", "eu-central-1", "https://store.example.com")
    assert "'secret'" not in repr(keys)


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("LAKE", LAKES),
        ("NOTIFY_URLS", "addresses that apprise knows, such as ntfy://my-topic, separated by commas"),
        ("HEARTBEAT_URL", "an address that starts with http:// or https://"),
    ],
)
def test_a_bad_address_is_not_shown_because_it_may_be_a_secret(given_, name, allowed):
    given_(**{name: "my-secret"})

    assert refusal() == f"TICKWELL_{name}: must be {allowed}"


def test_a_publisher_has_the_file_the_lake_and_the_name_of_its_recorder(make_settings, monkeypatch):
    own = make_settings(lake="postgresql://u:p@localhost/lake", recorder="b", memory_limit="300MB", log_level="DEBUG")

    for name, value in environment_of_publisher(own).items():
        monkeypatch.setenv(name, value)

    names = ("database", "lake", "recorder", "memory_limit", "log_level")
    assert [getattr(Settings(), name) for name in names] == [getattr(own, name) for name in names]
