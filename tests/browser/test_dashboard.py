"""The dashboard as a reader uses it: a real server, a real browser, a simulated exchange."""

import re
import shutil
import signal
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pages.common import site
from poller.simulator.faults import Fault
from poller.simulator.truth.prices import price
from settings import ROOT
from store.file.database import Database
from store.file.locks import beside
from store.ledger import runs
from store.models import utc_now
from store.prices import ticks
from tests.conftest import Program, in_whole, wait_until
from tests.support.chromium import drawn, range_in, seen
from tests.support.dashboard import dashboard_at, free_port
from tests.support.history import with_history

pytestmark = pytest.mark.browser

RECORDING = re.compile(r"recording, \d+ s old")


def stored(database_file: Path, index_name: str = "btc_usd"):
    with Database(database_file).read() as cursor:
        return ticks.history(cursor, index_name, utc_now() - timedelta(hours=1), utc_now())


def slots(found) -> list[int]:
    """The seconds in which ticks were received, at one a second."""
    return [int(tick.received_at.timestamp()) for tick in found]


def test_it_records_from_the_servers_start_and_before_any_visit(start_dashboard, database_file):
    dashboard = start_dashboard()

    dashboard.wait_for_ticks(3)

    found = stored(database_file)
    assert [tick.price for tick in found] == [price("btc_usd", tick.ts) for tick in found]
    assert slots(found) == list(range(slots(found)[0], slots(found)[-1] + 1))


def test_prices_move_on_the_open_page_without_a_reload(start_dashboard, open_page):
    dashboard = start_dashboard()
    dashboard.wait_for_ticks()
    page = open_page(dashboard.url)
    value = page.locator(".st-key-card-btc_usd [data-testid=stMetricValue]")
    expect(value).to_be_visible()
    page.evaluate("window.kept = true")
    before = value.inner_text()

    expect(value).not_to_have_text(before)

    assert page.evaluate("window.kept") is True
    expect(page.get_by_text(RECORDING)).to_be_visible()
    expect(page.get_by_text("Simulated prices")).to_be_visible()


def test_the_first_visitor_of_a_new_server_gets_any_page_whole(start_dashboard, open_page):
    dashboard = start_dashboard(poller="external")

    page = open_page(f"{dashboard.url}/history")

    expect(page.get_by_role("heading", name="History", level=1)).to_be_visible()
    links = page.get_by_role("navigation").get_by_role("link")
    expect(links).to_have_text([re.compile(f"{each.title}$") for each in site.PAGES if each.listed])
    expect(page.get_by_role("switch", name="UTC")).to_be_attached()
    expect(page.get_by_test_id("stSidebarNav")).to_have_count(0)


def test_an_outage_is_shown_with_its_reason_and_ends_by_itself(start_dashboard, open_page, simulator, database_file):
    dashboard = start_dashboard()
    dashboard.wait_for_ticks()
    page = open_page(f"{dashboard.url}/?range=15m")
    expect(page.locator("[data-testid=stMetricValue]")).to_have_count(2)

    simulator.faults.add(Fault("outage", seconds=4))

    expect(page.get_by_text(re.compile(r"Exchange unreachable since .*connection refused"))).to_be_visible(
        timeout=10_000
    )
    expect(page.locator("[data-testid=stMetricValue]")).to_have_count(2)
    expect(page.get_by_text(RECORDING)).to_be_visible(timeout=10_000)
    newest = seen(page).traces["line"]["x"][-1]
    wait_until(lambda: seen(page).traces["line"]["x"][-1] > newest)
    with Database(database_file).read() as cursor:
        missed = runs.misses(cursor, utc_now() - timedelta(minutes=5), utc_now())
    assert {miss.cause.value for miss in missed} == {"unreachable"}


def test_without_an_exchange_the_page_says_so_within_10_s(start_dashboard, open_page):
    dashboard = start_dashboard(deribit_url="http://127.0.0.1:9", poll_seconds=5)

    page = open_page(dashboard.url)

    expect(page.get_by_text(re.compile("Exchange unreachable since .*connection refused"))).to_be_visible(
        timeout=10_000
    )
    expect(page.get_by_text("No data yet")).to_have_count(2)


def test_times_are_in_the_readers_zone_and_the_switch_to_utc_outlives_a_change_of_page_and_a_reload(stale, open_page):
    page = open_page(stale.url, zone="Asia/Tokyo")
    expect(page.get_by_text("Times are Asia/Tokyo")).to_be_visible(timeout=10_000)
    wait_until(lambda: abs(range_in(page, "Asia/Tokyo")[1] - utc_now()) < timedelta(hours=4))

    page.get_by_text("UTC", exact=True).click()
    expect(page.get_by_text("Times are UTC")).to_be_visible()
    wait_until(lambda: abs(range_in(page, "UTC")[1] - utc_now()) < timedelta(hours=4))
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    expect(page.get_by_text("Times are UTC")).to_be_visible()
    page.reload()

    expect(page.get_by_role("heading", name="History")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("Times are UTC")).to_be_visible(timeout=10_000)
    expect(page.get_by_text("Asia/Tokyo")).to_have_count(0)


def test_an_open_page_goes_on_by_itself_when_its_server_restarts(database_file, simulator, open_page):
    port = free_port()
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1}
    with dashboard_at(port, **settings) as dashboard:
        dashboard.wait_for_ticks(2)
        page = open_page(f"{dashboard.url}/?range=15m")
        drawn(page)
        page.evaluate("window.kept = true")
        before = len(seen(page).traces["line"]["x"])
        dashboard.program.stop(signal.SIGTERM)
    expect(page.get_by_test_id("stApp")).not_to_have_attribute("data-test-connection-state", "CONNECTED")

    with dashboard_at(port, **settings):
        wait_until(lambda: len(seen(page).traces["line"]["x"]) > before + 1, timeout_s=30)

        expect(page.get_by_text(RECORDING)).to_be_visible()
        assert page.evaluate("window.kept")


def test_the_demo_shows_new_prices_within_15_s_from_a_file_of_its_own(start_dashboard, open_page, database_file):
    dashboard = start_dashboard(demo="true", deribit_url="http://127.0.0.1:9")

    page = open_page(dashboard.url)

    expect(page.get_by_text("Simulated prices")).to_be_visible(timeout=15_000)
    value = page.locator(".st-key-card-eth_usd [data-testid=stMetricValue]")
    expect(value).not_to_have_text("—", timeout=15_000)
    before = value.inner_text()
    expect(value).not_to_have_text(before)
    assert database_file.with_name("demo.duckdb").exists()
    assert not database_file.exists()


def test_a_dashboard_beside_a_running_recorder_shows_its_data_and_says_who_records(
    start_dashboard, open_page, database_file, simulator
):
    with Program("poller", database=database_file, deribit_url=simulator.url, poll_seconds=1) as recorder:
        wait_until(lambda: database_file.exists() and stored(database_file))
        dashboard = start_dashboard()

        page = open_page(dashboard.url)

        pid = recorder.process.pid
        expect(page.get_by_text(re.compile(f"recorded by another process, PID {pid}: recording"))).to_be_visible()
        expect(page.locator("[data-testid=stMetricValue]").first).not_to_have_text("—")
        code, _, _ = recorder.stop(signal.SIGTERM)
    assert code == 0


@in_whole
def test_a_host_that_ignores_the_server_half_still_records(start_dashboard, open_page, database_file, tmp_path):
    script = tmp_path / "host.py"
    script.write_text(
        f"import sys\nfrom pathlib import Path\nsys.path.insert(0, {str(ROOT)!r})\n"
        f"exec(compile(Path({str(ROOT / 'dashboard.py')!r}).read_text(), 'dashboard.py', 'exec'))\n"
    )
    dashboard = start_dashboard(str(script))

    page = open_page(dashboard.url)

    expect(page.get_by_text(RECORDING)).to_be_visible()
    expect(page.locator(".stPlotlyChart .scatterlayer .js-line[d*=L]").first).to_be_visible()
    code, _, _ = dashboard.program.stop(signal.SIGTERM)
    with Database(database_file).read() as cursor:
        assert [run.ended_at is not None for run in runs.runs(cursor)] == [True]
    assert code == 0


def test_a_bad_setting_stops_the_start_with_one_line(start_dashboard):
    dashboard = start_dashboard(poll_seconds="0")

    code, _, error = dashboard.program.finish()

    assert code == 1
    assert error == "Error: TICKWELL_POLL_SECONDS = '0': must be a whole number from 1 to 3600\n"


def test_beside_a_recorder_an_unknown_alert_address_stops_the_start_with_one_line(start_dashboard):
    dashboard = start_dashboard(poller="external", notify_urls="strange://s3cret")

    code, _, error = dashboard.program.finish()

    assert code == 1
    assert error == "Error: TICKWELL_NOTIFY_URLS: the 1st address, strange, is not one that apprise knows\n"


def test_each_bad_alert_rule_stops_the_start_with_a_line(start_dashboard, tmp_path):
    rules = tmp_path / "alerts.toml"
    rules.write_text('[[rule]]\nname = "a"\nkind = "b"\n[[rule]]\nname = "c"\nkind = "stale"\n')
    dashboard = start_dashboard(alerts_file=rules)

    code, _, error = dashboard.program.finish()

    assert code == 1
    assert [line.partition(":")[0] for line in error.splitlines()] == ["Error", "alerts.toml, rule c"]


def test_a_stopped_server_ends_its_run_and_frees_the_file(start_dashboard, database_file):
    dashboard = start_dashboard()
    dashboard.wait_for_ticks()
    asked = utc_now()

    dashboard.program.stop(signal.SIGTERM, timeout_s=10)

    with Database(database_file).read() as cursor:
        (run,) = runs.runs(cursor)
    assert run.ended_at is not None
    assert run.ended_at - asked < timedelta(seconds=2)


@pytest.fixture
def project_copy(tmp_path):
    """A copy of the project's files, for tests that change them."""
    copy = tmp_path / "copy"
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    for name in filter(lambda name: (ROOT / name).is_file(), listed):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    return copy


def test_a_page_that_fails_says_so_and_keeps_its_traceback_to_the_log(start_dashboard, open_page, project_copy):
    (project_copy / "pages/overview.py").write_text("raise RuntimeError('not for readers')\n")
    dashboard = start_dashboard(str(project_copy / "dashboard.py"))

    page = open_page(dashboard.url)

    expect(page.get_by_text("This page failed: RuntimeError")).to_be_visible()
    expect(page.get_by_text("not for readers")).to_have_count(0)
    _, _, log = dashboard.program.stop(signal.SIGTERM)
    assert "RuntimeError: not for readers" in log


@in_whole
def test_saving_source_files_leaves_one_recorder_that_misses_no_slot(
    start_dashboard, open_page, database_file, project_copy, monkeypatch
):
    monkeypatch.setenv("STREAMLIT_SERVER_FILE_WATCHER_TYPE", "poll")
    dashboard = start_dashboard(str(project_copy / "dashboard.py"))
    dashboard.wait_for_ticks()
    page = open_page(dashboard.url)
    expect(page.get_by_text(RECORDING)).to_be_visible()

    for number in range(3):
        for name in ("dashboard.py", "pages/overview.py", "poller/recorder/recorder.py", "store/file/database.py"):
            with (project_copy / name).open("a") as file:
                file.write(f"# saved {number}\n")
        dashboard.wait_for_ticks(len(stored(database_file)) + 1)
        page.reload()
        expect(page.get_by_text(RECORDING)).to_be_visible()

    found = slots(stored(database_file))
    with Database(database_file).read() as cursor:
        assert len(runs.runs(cursor)) == 1
    assert found == list(range(found[0], found[-1] + 1))


def test_a_dashboard_that_can_not_record_serves_and_says_why(start_dashboard, open_page, database_file):
    with_history(database_file, utc_now())
    beside(database_file, "recorder").symlink_to("/nonexistent/folder")

    dashboard = start_dashboard()

    page = open_page(dashboard.url)
    expect(page.get_by_text(re.compile("^Not recording: .*No such file or directory"))).to_be_visible()
    drawn(page)
    assert (dashboard.health() or {})["indexes"]["btc_usd"]["ticks"] > 0
    _, _, err = dashboard.program.stop(signal.SIGTERM)
    assert "Traceback" not in err
    assert "not recording: " in err
