"""Recorder and dashboard in a process each, on one file, both as busy as they get.

The file has 2 M ticks, or so many millions as LOAD_MILLIONS says. What the writer waits is printed, see with `-s`.
"""

import os
import re
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import httpx
import psutil
import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Dashboard, dashboard_at, drawn, free_port
from tests.conftest import Program
from tests.faults.stage import INDEXES, Stage
from tests.store.processes import start

pytestmark = pytest.mark.browser

ROWS = 1_000_000 * int(os.environ.get("LOAD_MILLIONS", "2"))
PORTION = 250_000
PATHS = ("/?span=1h", "/history?range=1d", "/quality?days=7d", "/history?range=7d")
SESSIONS = 2 * PATHS
SECONDS = 6

_HISTORY = """
INSERT INTO ticks
SELECT ['btc_usd', 'eth_usd'][1 + i % 2], moment, moment, 100 + random(), 'simulator', 0
FROM (SELECT i, now()::TIMESTAMP - to_seconds(60 + ($rows - i) // 2) AS moment FROM range($rows) AS r(i))
"""

_TROUBLE = re.compile(r"can't be read|locked|held by|busy|page failed|wanted elsewhere|not writable", re.IGNORECASE)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A long history, on which a recorder is at work; exchange and recorder have a process each."""
    (tmp_path / "stage").mkdir()
    stage = Stage(tmp_path / "stage")
    stage.database.migrate()
    with duckdb.connect(stage.file) as connection:
        connection.execute(_HISTORY, {"rows": ROWS})
    port = free_port()
    with Program("poller", "simulate", "--port", str(port)) as simulator:
        stage.url = f"http://127.0.0.1:{port}/api/v2"
        assert simulator.process.stdout is not None
        assert stage.url in simulator.process.stdout.readline()
        with stage:
            stage.start()
            stage.wait_for(2)
            yield stage


def ask(dashboard: Dashboard, done: threading.Event, answers: list[httpx.Response]) -> None:
    """Ask the API for the newest price, as a program would."""
    while not done.wait(0.1):
        answers.append(httpx.get(f"{dashboard.url}/api/prices/btc_usd/latest", timeout=20))


def test_eight_busy_sessions_and_a_long_read_cost_the_recorder_no_slot(stage: Stage, open_page: Callable[..., Page]):
    done, answers = threading.Event(), list[httpx.Response]()
    with (
        dashboard_at(free_port(), database=stage.file, poller="external", poll_seconds=1) as dashboard,
        start("copy_busily", stage.file, stage.folder, PORTION) as reading,
    ):
        asking = threading.Thread(target=ask, args=(dashboard, done, answers))
        asking.start()
        for process in psutil.process_iter():
            if "chrom" in process.name():
                process.nice(19)  # as if the browsers ran on other machines
        pages = [open_page(dashboard.url + path) for path in SESSIONS]
        until, said, opened = time.monotonic() + SECONDS, [], 0
        while time.monotonic() < until:
            page = pages[opened % len(pages)]
            drawn(page)
            said.append(page.inner_text("body"))
            page.goto(dashboard.url + SESSIONS[(opened + 1) % len(SESSIONS)])
            opened += 1
        done.set()
        asking.join()
        reading.process.kill()
        copied = reading.finish()[1].count("\n")
        dashboard.program.process.kill()
        stage.wait_for(3)

    assert [line for words in said for line in words.splitlines() if _TROUBLE.search(line)] == []
    assert {answer.status_code for answer in answers} == {200}
    print(
        f"{opened} page loads, {len(answers)} requests, {copied} copied parts; from exchange time to disk: median "
        f"{1000 * statistics.median(stage.delays_s):.0f} ms, most {1000 * max(stage.delays_s):.0f} ms"
    )
    stage.stop()
    for name in INDEXES:
        seconds = stage.seconds(name)
        assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
