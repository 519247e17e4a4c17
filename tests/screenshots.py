"""Draws the pictures of the README: the dashboard on simulated prices, after six hours of recording."""

import tempfile
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from settings import ROOT, VERSION
from store.file.database import Database
from store.ledger import runs
from store.models import Run, Tick, utc_now
from store.prices import ticks
from tests.conftest import wait_until
from tests.support.chromium import chromium
from tests.support.dashboard import Dashboard, dashboard_at, free_port

FOLDER = ROOT / "docs/screenshots"
INDEXES = ("btc_usd", "eth_usd")
POLL_SECONDS = 5
RECORDED = timedelta(hours=6)
VIEWS = {
    "overview": ("/", 1280, 1000),
    "history": ("/history?range=1d&chart=Candles", 1280, 1000),
    "phone": ("/", 390, 1000),
}


def record(path: Path) -> None:
    """Six hours of a recorder's work, done at once."""
    database, now = Database(path), utc_now()
    database.migrate()
    start = (now - RECORDED).replace(second=0, microsecond=0)
    slots = [start + timedelta(seconds=second) for second in range(0, int(RECORDED.total_seconds()), POLL_SECONDS)]
    with database.write() as cursor:
        runs.note(cursor, Run(start, dict.fromkeys(INDEXES, POLL_SECONDS), VERSION))
        for name in INDEXES:
            made_up = (Tick(name, slot, price(name, slot), source="simulator", received_at=slot) for slot in slots)
            ticks.append(cursor, made_up)


def draw(browser: Browser, dashboard: Dashboard) -> None:
    for name, (path, width, height) in VIEWS.items():
        for scheme in ("light", "dark"):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                timezone_id="Europe/Berlin",
            )
            page = context.new_page()
            page.goto(f"{dashboard.url}{path}")
            page.wait_for_selector(".tickwell-chart.drawn")
            page.wait_for_function("document.fonts.status === 'loaded'")
            page.screenshot(path=FOLDER / f"{name}-{scheme}.png")
            context.close()


def loaded(dashboard: Dashboard) -> bool:
    """Is all of the exchange's history in the file?"""
    report = dashboard.health()
    return report is not None and report["status"] == "ok" and report["poller"]["backfill"] == ""


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Simulator() as simulator:
        path = Path(folder) / "ticks.duckdb"
        record(path)
        served = dashboard_at(free_port(), database=path, deribit_url=simulator.url, poll_seconds=POLL_SECONDS)
        with served as dashboard, sync_playwright() as playwright, chromium(playwright) as browser:
            wait_until(lambda: loaded(dashboard) and dashboard.wait_for_ticks(7_000), timeout_s=60)
            draw(browser, dashboard)


if __name__ == "__main__":
    main()
