"""The Export page in a real browser: its link brings the same file that programs get."""

import io
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.support.chromium import drawn
from tests.support.dashboard import Dashboard

pytestmark = pytest.mark.browser

PRINT = "\nprint(len(frame), frame['ts'].min(), frame['ts'].dtype)"


@pytest.fixture
def page(live: Dashboard, open_page: Callable[..., Page]) -> Page:
    """The Export page with an exact range in the past."""
    live.wait_for_ticks(1)
    first = pd.Timestamp(live.health()["indexes"]["btc_usd"]["first"])  # type: ignore[index]
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (first, first + pd.Timedelta(days=100)))
    page = open_page(f"{live.url}/export?start={start}&end={end}")
    drawn(page)
    return page


def made(page: Page, path: Path) -> bytes:
    """The content behind the page's link, once the file is made."""
    page.get_by_role("button", name="Make the file").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    download.value.save_as(path)
    return path.read_bytes()


def test_the_file_is_made_and_downloaded_under_a_name_that_says_what_it_is(page: Page, tmp_path: Path):
    content = made(page, tmp_path / "its.parquet")

    frame = pd.read_parquet(io.BytesIO(content))
    assert len(frame) > 0
    assert set(frame["index_name"]) == {"btc_usd"}
    expect(page.get_by_text(f"{len(frame):,} rows")).to_be_visible()


@pytest.mark.parametrize("program", ["pandas", "polars"])
def test_the_lines_for_programs_read_the_same_file(page: Page, tmp_path: Path, program: str, monkeypatch):
    monkeypatch.delenv("SSL_CERT_DIR")  # without a certificate polars sends no request
    page.get_by_role("tab", name=program).click()
    lines = page.get_by_role("tabpanel").locator("code:visible").inner_text()

    ran = subprocess.run([sys.executable, "-c", lines + PRINT], capture_output=True, text=True, check=True)

    frame = pd.read_parquet(io.BytesIO(made(page, tmp_path / "its.parquet")))
    count, first = ran.stdout.split()[:2]
    assert (int(count), first) == (len(frame), f"{frame['ts'].min():%Y-%m-%d}")
    assert "UTC" in ran.stdout


def test_the_line_for_curl_saves_the_same_bytes(page: Page, tmp_path: Path):
    line = page.get_by_role("tabpanel").locator("code:visible").inner_text()

    subprocess.run(shlex.split(line), cwd=tmp_path, capture_output=True, check=True)

    (saved,) = tmp_path.glob("btc_usd-ticks-*.parquet")
    assert saved.read_bytes() == made(page, tmp_path / "its.parquet")


def test_the_bars_that_history_draws_can_be_downloaded_there(
    live: Dashboard, open_page: Callable[..., Page], tmp_path: Path
):
    page = open_page(f"{live.url}/history")
    drawn(page)

    page.get_by_role("button", name="Download what I see").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename.startswith("btc_usd-")
    download.value.save_as(tmp_path / "its.csv.gz")
    assert len(pd.read_csv(tmp_path / "its.csv.gz")) > 0
