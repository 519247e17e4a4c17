"""What the tests share: settings that read nothing from this machine, real files, a real exchange on a local port."""

import gc
import logging
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import hypothesis
import psutil
import pytest
from click.testing import CliRunner, Result
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from poller.simulator.server import Simulator
from settings import ROOT, Settings
from store.file.database import Database
from store.models import Tick
from tests import made_up
from tests.support.forks import Forked, forking, may_fork

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
"""A time for tests to which the time does not matter."""

WHOLE = bool(os.environ.get("WHOLE"))
"""Slow families of tests run whole, by `make test WHOLE=1`; otherwise each family runs its short form."""

in_whole = pytest.mark.skipif(not WHOLE, reason="slow: runs with make test WHOLE=1")
"""Marks a slow test that a short run leaves out."""

hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")  # no test fails because the machine is busy

UNLESS_ASKED = {"markets": "none"}
"""Settings of all tests and their programs, unless a test asks for others: most tests are about indexes alone."""

LIBRARIES = ("httpx", "httpcore", "stamina", "schedule", "asyncio", "urllib3", "requests")


SLOW_FIRST = (
    "browser",
    "poller/recorder/test_recorder.py",
    "poller/history/test_backfill.py",
    "poller/recorder/test_feeds.py",
    "poller/recorder/test_wrong_clock.py",
    "faults/test_faults.py",
    "metrics/test_prometheus.py",
    "hosting/test_starts.py",
    "poller/alerts/test_alerts_live.py",
    "store/backup/test_backup.py",
)
"""The slowest files and folders."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep Python from looking for garbage among the modules and tests: that takes half of the collection's time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the slow files first: a slow file that starts last leaves the other cores idle."""
    slow = [Path(__file__).parent / name for name in SLOW_FIRST]

    @cache
    def place(path: Path) -> int:
        return next((number for number, its in enumerate(slow) if path.is_relative_to(its)), len(slow))

    items.sort(key=lambda item: place(item.path))


SERVED_APART = ("tests/browser/test_dashboard.py", "tests/browser/test_sign_in.py")
"""Files of browser/ whose tests start servers of their own."""


class _BrowserTogether(LoadFileScheduling):
    """Gives each worker a file at a time, but most files of browser/ to one: they share dashboards and browsers."""

    def _split_scope(self, nodeid: str) -> str:
        shares = nodeid.startswith("tests/browser/") and not nodeid.startswith(SERVED_APART)
        return "browser" if shares else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling:
    return _BrowserTogether(config, log)


@pytest.fixture(autouse=True, scope="session")
def _nothing_from_this_machine() -> Iterator[None]:
    """No setting and no proxy of the developer's shell, .env or secrets reaches a test or fixture. Markets are off."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("TICKWELL_") or name.lower().endswith("_proxy")]:
            patch.delenv(name)
        for name, value in UNLESS_ASKED.items():
            patch.setenv(f"TICKWELL_{name.upper()}", value)
        patch.setitem(Settings.model_config, "env_file", "/nonexistent/.env")
        patch.setitem(Settings.model_config, "toml_file", [])
        yield


@pytest.fixture(autouse=True, scope="session")
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests speak to this machine alone: reading the world's certificates is most of the time of an HTTP client."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _programs_start_as_forks() -> Iterator[None]:
    """A short run forks programs. A whole run starts each in an interpreter of its own, where coverage counts too."""
    with nullcontext() if WHOLE or "COVERAGE_RUN" in os.environ else forking():
        yield


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """Reset the log levels that a command set for its process."""
    loggers = [logging.getLogger(name) for name in ("tickwell", *LIBRARIES)]
    before = [logger.level for logger in loggers]
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    """The path for a database; nothing exists there yet."""
    return tmp_path / "ticks.duckdb"


@pytest.fixture(scope="session")
def made_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a database with empty tables, to be copied: making one takes a tenth of a second."""
    folder = tmp_path_factory.mktemp("made")
    Database(folder / "ticks.duckdb").migrate()
    return folder


@pytest.fixture
def new_database(made_before: Path, database_file: Path) -> Database:
    """A database in a file of its own, with its tables and no rows."""
    shutil.copytree(made_before, database_file.parent, dirs_exist_ok=True)
    return Database(database_file)


@pytest.fixture
def database(new_database: Database) -> Database:
    """A database with its tables and no rows."""
    return new_database


@pytest.fixture
def moons(new_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database, with the table of the made-up feed, which is known until the test ends."""
    made_up.join(monkeypatch)
    new_database.migrate()
    return new_database


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """An exchange of its own, without the exchange's limits."""
    with Simulator(limits=False) as simulator:
        yield simulator


@pytest.fixture
def make_settings(database_file: Path) -> Callable[..., Settings]:
    """Settings with a file in the test's folder and an address that refuses connections; arguments change them."""

    def make(**changes: Any) -> Settings:
        return Settings(**{"database": database_file, "deribit_url": "http://127.0.0.1:9", **changes})

    return make


@pytest.fixture
def command(database_file: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run a command in this process, on the test's file."""
    from poller.commands.main import main  # most programs that import this module don't need it

    def invoke(*arguments: str, **settings: Any) -> Result:
        for name, value in {"database": database_file, "deribit_url": "http://127.0.0.1:9", **settings}.items():
            monkeypatch.setenv(f"TICKWELL_{name.upper()}", str(value))
        return CliRunner().invoke(main, arguments)

    return invoke


def tick(second: float = 0, index_name: str = "btc_usd", price: float = 100.0, **more: Any) -> Tick:
    """A live tick `seconds` after START, received 20 ms later."""
    ts = START + timedelta(seconds=second)
    return Tick(index_name, ts, price, **{"received_at": ts + timedelta(milliseconds=20), **more})


def wait_until(condition: Callable[[], Any], timeout_s: float = 20, look_again_s: float = 0.15) -> Any:
    """Wait until a condition is true, and return its answer.

    What is true soon is seen soon; later the pauses grow to `look_again_s`, since many a look opens a database.
    """
    began = time.monotonic()
    while not (answer := condition()):
        waited_s = time.monotonic() - began
        assert waited_s < timeout_s, f"waited {timeout_s} s in vain for {condition}"
        time.sleep(min(0.02 + waited_s / 2, look_again_s))
    return answer


def reads_of(database: Database) -> int:
    """How often this process read a database."""
    counts, _ = database.meters.reads.read()
    return sum(counts)


class Program:
    """One of our programs in a process of its own; it is killed at the end of the `with` block if it still runs."""

    def __init__(self, *command: str, **settings: Any) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TICKWELL_")}
        environment |= {f"TICKWELL_{name.upper()}": str(value) for name, value in (UNLESS_ASKED | settings).items()}
        forked = may_fork(*command)
        self.process = (Forked if forked else subprocess.Popen[str])(
            command if forked else [sys.executable, "-m", *command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.communicate()

    def _started(self) -> list[psutil.Process]:
        """The process and all that it started; those would keep its output open."""
        if self.process.poll() is not None:
            return []
        its = psutil.Process(self.process.pid)
        return [its, *its.children(recursive=True)]

    def finish(self, timeout_s: float = 20) -> tuple[int, str, str]:
        """Wait for the end; exit code, stdout, stderr."""
        out, err = self.process.communicate(timeout=timeout_s)
        return self.process.returncode, out, err

    def stop(self, number: int, timeout_s: float = 20) -> tuple[int, str, str]:
        """Send a signal and wait for the end."""
        self.process.send_signal(number)
        return self.finish(timeout_s)
