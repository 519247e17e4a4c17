"""Each recipe of docs/recipes.md does what it says."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import polars as pl
import pyarrow.parquet as pq
import pytest
from apprise import Apprise
from click.testing import Result
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from api.app import create_app
from api.served import Served
from pages.common.site import PAGES
from server.hosts import Hosts, OwnNames
from settings import ROOT, load, load_to_serve
from store.alerts.rules.rule_file import load_rules
from store.file.database import Database
from store.market import chains
from store.models import Tick, from_column, to_column, utc_now
from tests.api.conftest import served_at
from tests.support import market, volatility
from tests.support.sign_in import AUTH, EMAILS
from tests.support.stored import append, stored

PAGE = (ROOT / "docs/recipes.md").read_text()
Command = Callable[..., Result]


def recipe(title: str) -> str:
    assert f"\n## {title}\n" in PAGE
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def blocks(title: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", recipe(title), re.DOTALL)


def do(command: Command, block: str) -> list[str]:
    """What the commands of a block print, a text each."""
    said = []
    for line in block.splitlines():
        words = shlex.split(line, comments=True)
        assert words[:3] == [".venv/bin/python", "-m", "poller"]
        done = command(*words[3:])
        assert done.exit_code == 0, done.output
        said.append(done.stdout)
    return said


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the commands run in."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def recorded(database: Database) -> Database:
    """A tick a minute of the last two days."""
    now = utc_now().replace(second=0, microsecond=0)
    minutes = [now - timedelta(minutes=ago) for ago in range(1, 2 * 1440)]
    append(database, *(Tick("btc_usd", minute, 100.0, "live") for minute in minutes))
    return database


@pytest.fixture
def url(recorded: Database, make_settings) -> Iterator[str]:
    """The API of the record, where the dashboard has it."""
    api = create_app()
    api.state.served = Served(make_settings(), recorded)
    with served_at(Starlette(routes=[Mount("/api", api)])) as url:
        yield url


def test_the_page_has_eleven_recipes():
    assert len(re.findall("^## ", PAGE, re.MULTILINE)) == 11


@pytest.mark.skipif(sys.platform == "darwin", reason="the date of macOS knows no --date")
def test_a_parquet_file_a_day(recorded: Database, folder: Path):
    nas = folder / "nas"
    nas.mkdir()
    (script,) = blocks("A Parquet file a day, on a NAS or in a bucket", "sh")
    here = script.replace(".venv/bin/python", sys.executable).replace("/mnt/nas/prices", str(nas))
    environment = {"TICKWELL_DATABASE": str(recorded.path), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}

    subprocess.run(["sh", "-e", "-c", here], env=environment, capture_output=True, check=True)

    ends = [datetime.now(UTC).date() - timedelta(days=ago) for ago in (1, 0)]
    (file,) = nas.glob("*.parquet")
    assert file.name == f"btc_usd-eth_usd-ticks-{'-'.join(f'{end:%Y%m%d}T000000Z' for end in ends)}.parquet"
    assert len(pq.read_table(file)) == 1440
    assert (nas / f"{file.name}.json").exists()


def test_pandas_and_polars_on_the_open_file(recorded: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TICKWELL_DATABASE", str(recorded.path))
    (script,) = blocks("pandas and polars on the open file", "python")
    names: dict[str, Any] = {}

    exec(compile(script, "docs/recipes.md", "exec"), names)  # noqa: S102 our own example, run as a reader would

    assert len(names["in_pandas"]) == len(names["in_polars"]) > 1400
    assert isinstance(names["in_polars"], pl.DataFrame)


def test_the_skew_before_the_last_big_expiry_and_who_was_right(
    url: str, recorded: Database, capsys: pytest.CaptureFixture[str]
):
    now = utc_now().replace(minute=0, second=0, microsecond=0)
    closes = volatility.walk(now - timedelta(days=45), now)
    volatility.record_minutes(recorded, closes)
    volatility.record_all_lengths(recorded, now)
    with recorded.write() as cursor:
        chains.append(cursor, [market.chain("BTC", now - timedelta(hours=12 * step)) for step in range(18)])
    (script,) = blocks("The skew before the last big expiry, and who was right", "python")

    names: dict[str, Any] = {}
    exec(compile(script.replace("http://localhost:8501", url), "docs/recipes.md", "exec"), names)  # noqa: S102 our own

    with recorded.read() as cursor:
        ((expiry,),) = cursor.execute(_BIGGEST, [to_column(now)]).fetchall()
        ((first, last),) = cursor.execute(_SKEW, {"expiry": expiry}).fetchall()
    expiry = from_column(expiry)
    assert names["expiry"] == expiry
    realised = volatility.realised_by_hand(closes, expiry - timedelta(days=30), expiry)
    implied = volatility.dvol(expiry - timedelta(days=30, minutes=1))
    said = capsys.readouterr().out
    assert f"'at 30 days': {round(last - first, 2)}}}" in said
    verdict = "too high" if implied > realised else "too low"
    assert f"DVOL said {implied:.2f} %, realised were {realised:.2f} %: DVOL was {verdict}" in said


_BIGGEST = """
SELECT arg_max(expiry, open_interest)
FROM (SELECT expiry, arg_max(call_oi + put_oi, ts) AS open_interest FROM smiles WHERE expiry <= ? GROUP BY expiry)
"""

_SKEW = """
SELECT arg_min(rr25_30d, ts), arg_max(rr25_30d, ts)
FROM surfaces
WHERE ts >= $expiry - INTERVAL 7 DAYS AND ts < $expiry
"""


@pytest.mark.parametrize("page", ["options", "volatility"])
def test_the_pages_of_the_skew_are_pages_of_ours(page: str):
    (address,) = re.findall(
        rf"`http://localhost:8501/{page}\?(\S+)`", recipe("The skew before the last big expiry, and who was right")
    )

    assert parse_qs(address)["currency"] == ["BTC"]
    assert page in {each.name for each in PAGES}


def test_excel_gets_flat_rows_from_its_query(url: str):
    (query,) = blocks("Excel with live data", "powerquery")
    address = re.search(r'"http://localhost:8501(/\S+)"', query)
    given = dict(re.findall(r'(\w+) = "(\w+)"', query.partition("[Query = [")[2]))
    assert address is not None
    start = f"{utc_now() - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"

    rows = httpx.get(url + address[1], params={**given, "start": start}).raise_for_status().json()

    assert 1400 < len(rows) <= 1440
    assert not [value for value in rows[0].values() if isinstance(value, dict | list)]


def test_grafana_gets_the_candles_of_its_range(url: str):
    (address,) = blocks("Prices in Grafana", "")
    now = int(utc_now().timestamp() * 1000)
    ends = {"from": str(now - 86_400_000), "to": str(now)}
    asked = re.sub(r"\$\{__(\w+)\}", lambda found: ends[found[1]], address.strip())

    candles = httpx.get(asked.replace("http://localhost:8501", url)).raise_for_status().json()

    assert 23 <= len(candles) <= 24
    assert {"open_time", "close"} <= candles[0].keys()


def test_an_alert_by_telegram(command: Command, recorded: Database, folder: Path, monkeypatch: pytest.MonkeyPatch):
    setting, commands = blocks("An alert by Telegram", "sh")
    (rules,) = blocks("An alert by Telegram", "toml")
    (folder / "alerts.toml").write_text(rules)
    name, _, address = setting.strip().partition("=")
    monkeypatch.setenv(name, address)
    ((secret,),) = [load().notify_urls]
    sends, replays = commands.splitlines()

    (said,) = do(lambda *words: command(*words, alerts_file=folder / "alerts.toml"), replays)

    telegram: Any = Apprise.instantiate(secret.get_secret_value())
    assert (telegram.bot_token.partition(":")[0], len(telegram.targets)) == ("123456789", 1)
    assert [rule.name for rule in load_rules(folder / "alerts.toml", ["btc_usd"])] == ["Bitcoin moves"]
    assert "Bitcoin moves: " in said
    assert shlex.split(sends, comments=True)[3:] == ["alerts", "test"]


def test_move_to_a_new_machine(command: Command, recorded: Database, tmp_path: Path):
    old, new = blocks("Move to a new machine", "sh")
    do(command, old)
    do(command, old)

    said = do(lambda *words: command(*words, database=tmp_path / "new.duckdb"), new)

    assert stored(Database(tmp_path / "new.duckdb")) == stored(recorded)
    assert said[1] == "tickwell-backup is sound\n"


def test_merge_the_files_of_two_recorders(command: Command, recorded: Database, tmp_path: Path):
    exports, imports = blocks("Merge the files of two recorders", "sh")
    first = Database(tmp_path / "first.duckdb")
    first.migrate()
    newest = stored(recorded)[-1].ts
    append(first, Tick("btc_usd", newest, 101.0), Tick("btc_usd", newest + timedelta(milliseconds=7), 102.0))
    do(command, exports)

    do(lambda *words: command(*words, database=first.path), imports)

    assert len(stored(first)) == len(stored(recorded)) + 1
    assert [tick.price for tick in stored(first)[-2:]] == [101.0, 102.0]


def test_ten_years_from_csv_files(command: Command, database: Database, folder: Path):
    for year in (2016, 2017):
        start = datetime(year, 1, 1, tzinfo=UTC)
        rows = [f"{start + timedelta(minutes=minute)},{400 + minute}" for minute in range(100)]
        (folder / f"btc-{year}.csv").write_text("\n".join(["timestamp,price", *rows]) + "\n")

    _, listed = do(command, blocks("Ten years from CSV files", "sh")[0])

    with database.read() as cursor:
        counts = cursor.execute("SELECT resolution_s, source, count(*) FROM ticks GROUP BY ALL").fetchall()
    assert counts == [(60, "import", 200)]
    assert len(listed.splitlines()) == 2


def test_a_private_dashboard_behind_caddy(tmp_path: Path, make_settings, database, monkeypatch: pytest.MonkeyPatch):
    title = "A private dashboard behind Caddy"
    (caddy,), (line,) = blocks(title, "caddyfile"), blocks(title, "toml")
    assert caddy in (ROOT / "docs/proxy.md").read_text()
    redirect = tomllib.loads(line)["redirect_uri"]
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(EMAILS + re.sub('redirect_uri = ".*"\n', line, AUTH))
    monkeypatch.setitem(type(make_settings()).model_config, "toml_file", [secrets])
    settings = load_to_serve()
    assert settings.sign_in is not None
    api, names = create_app(), OwnNames("localhost", reached_as=[])
    api.state.served = Served(settings, database)
    names.add(settings.sign_in.redirect_uri)

    with served_at(Starlette(routes=[Mount("/api", api)], middleware=[Middleware(Hosts, names=names)])) as url:
        hosts = ["prices.example.com", "localhost", "evil.example"]
        asked = [httpx.get(f"{url}/api/metrics", headers={"host": host}).status_code for host in hosts]

    assert redirect == settings.sign_in.redirect_uri
    assert asked == [403, 403, 421]  # closed without a token, and another name is refused


def test_from_the_fastapi_service(command: Command, url: str, database: Database, folder: Path):
    title = "From the FastAPI service"
    times = [1793491200, 1793534400, 1793577600]
    lines = [f"btc_usd,{price}.5,{ts}" for price, ts in enumerate(times)]
    (folder / "prices.csv").write_text("\n".join(["ticker,price,timestamp", *lines]) + "\n")
    (script,) = blocks(title, "sh")
    do(command, script.splitlines()[1])
    new = re.findall(r"`(/api/\S+)`", recipe(title))
    assert len(new) == 3

    newest, latest, filtered = (httpx.get(url + address).raise_for_status().json() for address in new)

    assert [(item["price"], item["timestamp"]) for item in filtered] == [
        (f"{price}.50000000", ts * 1000) for price, ts in enumerate(times)
    ]
    assert newest[0] == latest
    assert list(latest) == ["ticker", "price", "timestamp"]
    assert parse_qs(urlsplit(new[2]).query)["start_timestamp"] == [str(times[0])]
