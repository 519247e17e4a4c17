"""The pages as a visitor opens them, without a browser."""

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner.script_cache import ScriptCache
from streamlit.testing.v1 import AppTest, app_test

from pages.common import access
from poller.alerts.watchdog import Watchdog
from settings import ROOT
from store.file.database import Database
from store.file.recorder import Notice, RecorderLock
from store.file.shared import shared_database
from store.instants import DAY, HOUR, MINUTE
from store.market.checks import SETTLING
from store.models import utc_now
from store.prices.candles import floor

Open = Callable[..., AppTest]


installed_components = cache(manifest_scanner.scan_component_manifests)
compiled_scripts = cache(ScriptCache)


@pytest.fixture
def database(new_database: Database) -> Database:
    """The database that pages read; another object of its file would start DuckDB once more."""
    return shared_database(new_database.path, new_database.memory_limit)


@pytest.fixture
def open_page(database_file: Path) -> Iterator[Open]:
    """Opens a page of the dashboard on the test's database, with the setting that another process records."""
    with pages_of(database_file) as open_page:
        yield open_page


@pytest.fixture
def minute() -> datetime:
    """A minute that is over; in the hour before it, each snapshot has an index."""
    newest = floor(utc_now(), MINUTE) - MINUTE
    settled = floor(newest, DAY) + timedelta(hours=8)
    return settled - SETTLING - MINUTE if settled - SETTLING <= newest <= settled + HOUR else newest


@contextmanager
def pages_of(database_file: Path, poller: str = "external") -> Iterator[Open]:
    """A function that opens a page by its name, the visitor's time zone, and the address's parameters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TICKWELL_DATABASE", str(database_file))
        patch.setenv("TICKWELL_POLLER", poller)
        # Tells Streamlit, as the server's lifespan does, that pages/ is not its old kind of pages. AppTest resets
        # that before each run, here on a class of its own.
        patch.setattr(PagesManager, "uses_pages_directory", False)
        patch.setattr(app_test, "PagesManager", type("PagesOfTests", (PagesManager,), {}))
        # Streamlit reads the metadata of all installed packages at each run of AppTest: half of its time.
        patch.setattr(manifest_scanner, "scan_component_manifests", installed_components)
        patch.setattr(app_test, "ScriptCache", compiled_scripts)  # AppTest compiles the page at each run
        forget_all()
        with watchdogs_stopped(patch):
            yield _open
        forget_all()


def forget_all() -> None:
    """Forget what pages keep of the settings and of what they read."""
    st.cache_data.clear()
    st.cache_resource.clear()
    access.settings_of_server.cache_clear()


@contextmanager
def watchdogs_stopped(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stop the watchdogs that visits start in the block: they would go on until the process ends."""
    started: list[Watchdog] = []
    start = Watchdog.start

    def start_to_stop(watchdog: Watchdog) -> None:
        started.append(watchdog)
        start(watchdog)

    patch.setattr(Watchdog, "start", start_to_stop)
    yield
    for watchdog in started:
        watchdog.stop()


def _open(name: str = "overview", /, timezone: str | None = None, **address: Any) -> AppTest:
    page = AppTest.from_file(str(ROOT / "dashboard.py"), default_timeout=20)
    page.context = {"timezone": timezone}
    page.query_params.update(address)
    return (page if name == "overview" else page.switch_page(f"pages/{name}.py")).run()


@contextmanager
def recorder(database: Database, **changes: Any) -> Iterator[None]:
    """Publish the notice of a running recorder in another process."""
    now = utc_now()
    facts = {"pid": 812, "mode": "external", "since": now, "poll_seconds": 5, "indexes": ("btc_usd", "eth_usd")}
    lock = RecorderLock(database.path)
    lock.acquire(Notice(**{**facts, "version": "1", "state": "recording", "state_since": now, **changes}))
    yield
    lock.release()


def warnings(page: AppTest) -> list[str]:
    """The texts of warning boxes, without the one that no recorder was started."""
    return [box.value for box in page.warning if "no recorder was started yet" not in box.value]


def errors(page: AppTest) -> list[str]:
    """The texts of error boxes, without Markdown escapes."""
    return [box.value.replace("\\", "") for box in page.error]


def failed(page: AppTest) -> list[str]:
    """What parts of the page say in their places because they can't be read."""
    mark = ":red[:material/error:] "
    return [each.value.removeprefix(mark).replace("\\", "") for each in page.markdown if each.value.startswith(mark)]


def captions(page: AppTest) -> list[str]:
    """The captions of a page."""
    return [caption.value for caption in page.caption]


def told(page: AppTest) -> dict[str, Any]:
    """What the browser is told for the line at the top: its words around the age, its mark and its limits."""
    found: dict[str, Any] = json.loads(page.get_by_key("pulse").proto.json)
    return found


def chart(page: AppTest, key: str) -> dict[str, Any]:
    """The input of the chart in the browser, with its figure unpacked: times as text, other typed arrays unchanged."""
    data = json.loads(page.get_by_key(key).proto.json)
    figure = json.loads(data["figure"])
    for trace in figure["data"]:
        if "bdata" in trace["x"] and figure["layout"]["xaxis"]["type"] == "date":
            trace["x"] = [at.isoformat(" ") for at in times(trace["x"])]
    return {**data, "figure": figure}


def times(packed: dict[str, str]) -> list[datetime]:
    """The wall-clock times of a typed array of milliseconds."""
    assert packed["dtype"] == "f8"
    its = np.frombuffer(base64.b64decode(packed["bdata"]))
    return [datetime(1970, 1, 1) + timedelta(milliseconds=ms) for ms in its]  # noqa: DTZ001 of no zone


def format_of(table: Any, column: str) -> str:
    """How the numbers of a column are shown."""
    return str(json.loads(table.proto.columns)[column]["type_config"]["format"])


def parts(page: AppTest, key: str) -> list[str]:
    """The parts of a chart."""
    return [trace["meta"]["part"] for trace in chart(page, key)["figure"]["data"]]
