"""Which parts of a dashboard can be reached from outside, and what foreign and slow clients can do to it."""

import http.client
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

from settings import ROOT
from store.file.database import Database
from store.ledger import runs
from store.models import utc_now
from store.prices import ticks
from tests.conftest import in_whole, wait_until
from tests.support.dashboard import Dashboard
from tests.support.history import observe

STREAMLITS_OWN = {
    "/_stcore/health",
    "/_stcore/metrics",
    "/_stcore/host-config",
    "/_stcore/upload_file/{session_id}/{file_id}",
    "/_stcore/bidi-components/{path:path}",
    "/_stcore/stream",
    "/_stcore/agent/interact",
    "/_stcore/agent/openapi.json",
    "/_stcore/agent/mcp",
    "/media/{file_id:path}",
    "/component/{path:path}",
    "/auth/login",
    "/auth/logout",
    "/oauth2callback",
    "",  # its scripts, and for every other path its page
}
LIST_ROUTES = """
import json
from dashboard import app
print(json.dumps([route.path for route in app._build_starlette_app().routes]))
"""
FILES = [
    "data/ticks.duckdb",
    "data/README.md",
    "settings.py",
    "dashboard.py",
    ".env.example",
    ".streamlit/config.toml",
    ".streamlit/secrets.toml",
    ".git",
    "requirements.txt",
    "pages/overview.py",
    "pages/common/logo.svg",
]
WAYS = [
    "/{}",
    "//{}",
    "/../{}",
    "/%2e%2e/{}",
    "/..%5c{}",
    "/api/{}",
    "/api/../{}",
    "/app/static/{}",
    "/app/static/../{}",
    "/static/../../{}",
    "/media/../{}",
    "/component/../{}",
    "/_stcore/../{}",
    "/_stcore/bidi-components/../{}",
    f"/{ROOT}/{{}}",
    f"/app/static/{ROOT}/{{}}",
]


def asked(dashboard: Dashboard, path: str, method: str = "GET") -> tuple[int, bytes]:
    """Status and body of the reply to a request with exactly this path."""
    connection = http.client.HTTPConnection(urlsplit(dashboard.url).netloc, timeout=10)
    connection.request(method, path)
    reply = connection.getresponse()
    found = reply.status, reply.read()
    connection.close()
    return found


def test_besides_streamlits_own_routes_there_are_the_charts_script_and_the_api():
    listed = subprocess.run([sys.executable, "-c", LIST_ROUTES], cwd=ROOT, capture_output=True, check=True).stdout

    charts_script, api, *others = json.loads(listed)
    assert (charts_script, api) == ("/api/plotly.js", "/api")
    assert set(others) <= STREAMLITS_OWN


@pytest.mark.parametrize("file", FILES)
def test_no_file_of_the_project_is_served_whatever_the_way_to_it(empty, file):
    _, page = asked(empty, "/")
    assert b"<title>Streamlit</title>" in page

    answers = {way: asked(empty, way.format(file)) for way in WAYS}

    assert {way: status for way, (status, body) in answers.items() if status < 400 and body != page} == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/api/health", "/api/prices/btc_usd/latest", "/api/plotly.js", "/", "/history"])
def test_none_of_our_routes_accepts_data(empty, path, method):
    status, _ = asked(empty, path, method)

    assert status in {404, 405}


EVERYWHERE = pytest.mark.parametrize(
    "path",
    [
        "/",
        "/history",
        "/api/health",
        "/api/prices/filter",
        "/api/plotly.js",
        "/_stcore/health",
        "/_stcore/host-config",
        "/_stcore/metrics",
        "/static/missing.js",
    ],
)


@EVERYWHERE
@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000"])
def test_no_page_of_another_address_may_read_a_reply_or_frame_it(empty, path, origin):
    headers = httpx.get(empty.url + path, headers={"origin": origin}).headers

    assert "access-control-allow-origin" not in headers
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["content-security-policy"] == "frame-ancestors 'self'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


@EVERYWHERE
def test_nothing_is_answered_under_the_name_of_another_address(empty, path):
    reply = httpx.get(empty.url + path, headers={"host": "evil.example", "x-forwarded-host": "localhost"})

    assert reply.status_code == 421
    assert reply.json()["detail"].startswith("Host = 'evil.example': this server is not known under that name")


def stream(dashboard: Dashboard, origin: str) -> None:
    """Open a page's socket with the Origin header of another page."""
    address = urlsplit(dashboard.url).netloc
    with connect(f"ws://{address}/_stcore/stream", origin=Origin(origin), subprotocols=[Subprotocol("streamlit")]):
        pass


def test_no_page_whose_name_was_pointed_here_may_open_a_pages_socket(empty):
    port = urlsplit(empty.url).port

    with pytest.raises(InvalidStatus) as refused, socket.create_connection(("localhost", port)) as connection:
        connect(
            f"ws://evil.example:{port}/_stcore/stream", sock=connection, origin=Origin(f"http://evil.example:{port}")
        )

    assert refused.value.response.status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost:3000", "http://127.0.0.1"])
def test_no_page_of_another_address_may_open_a_pages_socket(empty, origin):
    stream(empty, empty.url)

    with pytest.raises(InvalidStatus):
        stream(empty, origin)


def test_no_file_is_taken_by_the_route_for_uploads(empty):
    reply = httpx.put(f"{empty.url}/_stcore/upload_file/session/file", files={"file": b"x" * 2_000_000})

    assert reply.status_code in {400, 403, 413}


def test_a_request_that_brings_too_much_is_refused(empty):
    long = httpx.get(f"{empty.url}/api/health?{'x' * 9_000}")
    large = httpx.request("GET", f"{empty.url}/api/health", content=b"x" * 100_000)

    assert (long.status_code, large.status_code) == (414, 413)


@contextmanager
def slow_clients(dashboard: Dashboard, count: int) -> Iterator[None]:
    """Clients of each kind that ask for much and read nothing, or never finish their request."""
    host, port = urlsplit(dashboard.url).hostname, urlsplit(dashboard.url).port
    start = int((utc_now() - timedelta(days=1)).timestamp())
    requests = [
        f"GET /api/prices/filter?ticker=btc_usd&start_timestamp={start} HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/plotly.js HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /api/health HTTP/1.1\r\nHost: local",
        "GET /api/health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx",
    ]
    with ExitStack() as stack:
        for request in requests * count:
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect((host, port))
            client.sendall(request.encode())
        yield


def received_seconds(database_file: Path) -> list[int]:
    """The whole seconds in which live ticks were received."""
    with Database(database_file).read() as cursor:
        found = ticks.history(cursor, "btc_usd", utc_now() - timedelta(minutes=5), utc_now())
    return [int(tick.received_at.timestamp()) for tick in found if tick.received_at is not None]


@in_whole
def test_slow_clients_cost_no_slot_and_delay_no_other_client(start_dashboard, database_file):
    database = Database(database_file)
    database.migrate()
    with database.write() as cursor:
        observe(cursor, "btc_usd", utc_now() - timedelta(hours=20), seconds=20_000)
    dashboard = start_dashboard(indexes="btc_usd")
    dashboard.wait_for_ticks()
    began = utc_now()

    def since() -> list[int]:
        return [second for second in received_seconds(database_file) if second >= began.timestamp()]

    with slow_clients(dashboard, count=8):
        wait_until(lambda: len(since()) >= 8, timeout_s=30, look_again_s=0.5)

    seconds = since()
    assert seconds == list(range(seconds[0], seconds[0] + len(seconds)))
    with database.read() as cursor:
        assert runs.misses(cursor, began, utc_now()) == []
