"""Pages work through a real nginx, as Debian packages it, with the configuration that docs/proxy.md shows."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Playwright, expect

from settings import ROOT
from tests.conftest import in_whole, wait_until
from tests.faults.tls import certify
from tests.support.chromium import chromium, drawn
from tests.support.dashboard import Dashboard, dashboard_at, free_port
from tests.support.documents import block

pytestmark = pytest.mark.browser

SHOWN = block((ROOT / "docs/proxy.md").read_text(), "nginx")
WHOLE_FILE = """
daemon off;
user root;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    {block}
}}
"""
HEARD = "window.tickwellHeard.at_s"
"""The time of the server at the last refresh."""


def nginx() -> str:
    """The path of nginx. Without it a test is skipped, or fails if REQUIRE_NGINX is set."""
    path = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if path is None:
        reason = "no nginx was found on the PATH"
        if os.environ.get("REQUIRE_NGINX"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


@contextmanager
def nginx_before(dashboard: Dashboard, folder: Path, **changes: str) -> Iterator[str]:
    """The address of an nginx that runs the block of the documents with these changes."""
    port = free_port()
    certify(folder / "localhost.pem")
    changed = {
        "listen 443 ": f"listen {port} ",
        "prices.example.com;": "localhost;",
        "/etc/ssl/prices.example.com.pem": f"{folder}/localhost.pem",
        "/etc/ssl/prices.example.com.key": f"{folder}/localhost.pem",
        "127.0.0.1:8501": f"127.0.0.1:{urlsplit(dashboard.url).port}",
        **changes,
    }
    configuration = SHOWN
    for shown, used in changed.items():
        assert shown in configuration
        configuration = configuration.replace(shown, used)
    (folder / "nginx.conf").write_text(WHOLE_FILE.format(folder=folder, block=configuration))
    command = [nginx(), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: answers(f"https://localhost:{port}/"))
            yield f"https://localhost:{port}"
        finally:
            process.terminate()


def answers(url: str) -> bool:
    try:
        httpx.get(url, verify=False)  # noqa: S501 the test's own certificate
    except httpx.TransportError:
        return False
    return True


@pytest.fixture
def secure_page(playwright: Playwright) -> Iterator[Page]:
    """A page of a browser that takes the test's certificate, and has cookies of 9 kB."""
    with chromium(playwright) as browser:
        context = browser.new_context(ignore_https_errors=True)
        context.add_cookies(
            [{"name": f"part{number}", "value": "x" * 3_000, "domain": "localhost", "path": "/"} for number in range(3)]
        )
        yield context.new_page()


def works(page: Page, url: str) -> None:
    """A page draws its chart, keeps its socket, and leads to a file."""
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    page.goto(f"{url}/history?range=15m")
    drawn(page)
    first = page.evaluate(HEARD)
    wait_until(lambda: page.evaluate(HEARD) > first + 2)
    page.get_by_role("button", name="Download what I see").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    assert download.value.suggested_filename.startswith("btc_usd-")
    assert download.value.url.startswith(f"{url}/api/export?")
    assert sockets == [f"{url.replace('https', 'wss')}/_stcore/stream"]
    page.get_by_role("link", name="Overview").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    drawn(page)
    assert page.evaluate("location.href").startswith(f"{url}/")
    expect(page.get_by_role("button", name="Sign in")).to_have_count(0)


def test_pages_work_through_nginx_with_its_tls_and_long_cookies(live: Dashboard, secure_page: Page, tmp_path: Path):
    with nginx_before(live, tmp_path) as url:
        works(secure_page, url)


@in_whole
def test_pages_work_below_a_path_that_nginx_passes_on(database_file, simulator, secure_page: Page, tmp_path: Path):
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1}
    with (
        dashboard_at(free_port(), path="/tickwell", **settings) as dashboard,
        nginx_before(dashboard, tmp_path, **{"location / {": "location /tickwell/ {"}) as url,
    ):
        dashboard.wait_for_ticks(3)
        assert httpx.get(f"{dashboard.url.removesuffix('/tickwell')}/api/health").is_success

        works(secure_page, f"{url}/tickwell")


@in_whole
def test_pages_work_below_a_path_that_nginx_strips(live: Dashboard, secure_page: Page, tmp_path: Path):
    port = urlsplit(live.url).port
    stripping = {"location / {": "location /tickwell/ {", f"127.0.0.1:{port};": f"127.0.0.1:{port}/;"}
    with nginx_before(live, tmp_path, **stripping) as url:
        works(secure_page, f"{url}/tickwell")
