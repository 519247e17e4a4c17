"""A recorder and a dashboard in two processes on one file, both under full load.

The short form, by `make test WHOLE=1`, has 2 M ticks and a session for each page. The long one, by `make load`, has
30 M ticks and eight sessions for a minute. How long ticks took to the disk is printed.
"""

import contextlib
import os
import re
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import duckdb
import httpx
import psutil
import pytest
from playwright.sync_api import Page, Playwright

from store.instants import EPOCH
from store.ledger import runs
from store.ledger.gaps import ledger
from store.models import utc_now
from store.prices import candles
from tests.conftest import WHOLE, Program
from tests.faults.stage import INDEXES, Stage
from tests.store.processes import start
from tests.support.chromium import chromium, drawn
from tests.support.dashboard import Dashboard, dashboard_at, free_port

LONG = bool(os.environ.get("LOAD_LONG"))

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not (WHOLE or LONG), reason="needs a machine for itself: see make test WHOLE=1 and make load"),
]
ROWS = 30_000_000 if LONG else 2_000_000
PATHS = ("/?range=1h", "/history?range=1d", "/quality?days=7d", "/history?range=1w")
SESSIONS = 2 * PATHS if LONG else PATHS
SECONDS = 60 if LONG else 6

_HISTORY = """
INSERT INTO ticks
SELECT ['btc_usd', 'eth_usd'][1 + i % 2], moment, moment, 100 + random(), 'simulator', 0
FROM (SELECT i, now()::TIMESTAMP - to_seconds(60 + ($rows - i) // 2) AS moment FROM range($rows) AS r(i))
"""

_TROUBLE = re.compile(r"can't be read|locked|held by|busy|page failed|wanted elsewhere|not writable", re.IGNORECASE)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A file with a long history and a running recorder; the exchange and the recorder have a process each."""
    (tmp_path / "stage").mkdir()
    stage = Stage(tmp_path / "stage")
    stage.database.migrate()
    with duckdb.connect(stage.file) as connection:
        connection.execute(_HISTORY, {"rows": ROWS})
        for name in INDEXES:
            connection.execute("INSERT INTO ticks VALUES (?, '2019-01-01', NULL, 1, 'simulator', 86400)", [name])
    candles.rebuild(stage.database, utc_now())
    port = free_port()
    with Program("poller", "simulate", "--port", str(port)) as simulator:
        stage.url = f"http://127.0.0.1:{port}/api/v2"
        assert simulator.process.stdout is not None
        assert stage.url in simulator.process.stdout.readline()
        with stage:
            stage.start()
            stage.wait_for(2)
            yield stage


@contextlib.contextmanager
def asking(dashboard: Dashboard) -> Iterator[list[httpx.Response]]:
    """Ask the API for the newest price during the block; yields the answers."""
    done, answers = threading.Event(), list[httpx.Response]()

    def ask() -> None:
        while not done.wait(0.1):
            answers.append(httpx.get(f"{dashboard.url}/api/prices/btc_usd/latest", timeout=20))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        done.set()
        thread.join()


@pytest.fixture
def pages_elsewhere(playwright: Playwright) -> Iterator[list[Page]]:
    """Empty pages of a browser of its own, which has the lowest priority, as if it ran on other machines.

    Linux may share the processor among sessions first. Then the priority of a process counts within its session alone,
    and a session has one of its own. With the lowest, no page would be loaded within 30 s.
    """
    others = set(psutil.Process().children(recursive=True))
    with chromium(playwright) as browser:
        pages = [browser.new_page() for _ in SESSIONS]
        for process in set(psutil.Process().children(recursive=True)) - others:
            with contextlib.suppress(psutil.NoSuchProcess, OSError):
                if "chrom" in process.name():
                    process.nice(19)
                    Path(f"/proc/{process.pid}/autogroup").write_text("10")
        yield pages


def test_busy_sessions_and_long_exports_cost_the_recorder_no_slot(stage: Stage, pages_elsewhere: list[Page]):
    with (
        dashboard_at(free_port(), database=stage.file, poller="external", poll_seconds=1) as dashboard,
        start("export_busily", stage.file) as exporting,
        asking(dashboard) as answers,
    ):
        for page, path in zip(pages_elsewhere, SESSIONS, strict=True):
            page.goto(dashboard.url + path)
        until, said, opened = time.monotonic() + SECONDS, [], 0
        while time.monotonic() < until:
            page = pages_elsewhere[opened % len(SESSIONS)]
            drawn(page)
            said.append(page.inner_text("body"))
            page.goto(dashboard.url + SESSIONS[(opened + 1) % len(SESSIONS)])
            opened += 1
        exporting.process.kill()
        exported = exporting.finish()[1].count("\n")
    stage.wait_for(3)

    recorder_said = stage.stop()

    assert [line for words in said for line in words.splitlines() if _TROUBLE.search(line)] == []
    assert {answer.status_code for answer in answers} == {200}
    print(
        f"{opened} page loads, {len(answers)} requests, {exported} exports; from exchange time to disk: median "
        f"{1000 * statistics.median(stage.delays_s):.0f} ms, most {1000 * max(stage.delays_s):.0f} ms; "
        f"waited over 2 s for the file: {recorder_said.count('store unavailable')} times"
    )
    now = utc_now()
    with stage.database.read() as cursor:
        assert runs.misses(cursor, EPOCH, now) == []
        assert ledger(cursor, EPOCH, now, now) == []
