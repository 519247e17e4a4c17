"""A container is well while its ticks are fresh, and while its first slot is still to come."""

import io
import json
import runpy
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from settings import ROOT
from tests.support.dashboard import free_port

SCRIPT = ROOT / "deploy/healthcheck.py"


def report(status: str = "ok", **poller: object) -> str:
    """The answer of /api/health with a running recorder."""
    return json.dumps({"status": status, "poller": {"starting": False, "words": "recording, 2 s old"} | poller})


def report_for_all(status: str = "ok", *, starting: bool = False) -> str:
    """The answer of /api/health to a stranger where readers sign in."""
    return json.dumps({"status": status, "poller": {"starting": starting}, "indexes": {}})


def check(monkeypatch, *arguments: str, stdin: str = "") -> object:
    """The outcome of the check: 0, or the line on stderr when it ends with 1."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize(
    "said",
    [
        *(report(), report("empty", starting=True), report("stale", starting=True)),
        *(report_for_all(), report_for_all("empty", starting=True)),
    ],
)
def test_a_container_is_well_with_fresh_ticks_and_until_its_first_slot(monkeypatch, said):
    assert check(monkeypatch, stdin=said) == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (report("stale", words="exchange unreachable"), "stale: exchange unreachable"),
        (report("empty", words="not recording"), "empty: not recording"),
        (report("failed", words="recording"), "failed: recording"),
        (report_for_all("stale"), "stale"),
        ("", "no readable answer: Expecting value: line 1 column 1 (char 0)"),
        ("{}", "no readable answer: 'status'"),
        ("[]", "no readable answer: list indices must be integers or slices, not str"),
    ],
)
def test_a_container_is_not_well_otherwise_and_the_check_says_why(monkeypatch, said, words):
    assert check(monkeypatch, stdin=said) == words


@contextmanager
def answering(status: int, said: str) -> Iterator[str]:
    """The address of a dashboard that answers one request with this status and body."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 its name is http.server's
            pass

    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api/health"
        thread.join()


@pytest.mark.parametrize(("status", "said"), [(200, report()), (503, report("empty", starting=True))])
def test_the_body_of_a_dashboards_answer_counts_more_than_its_status(monkeypatch, status, said):
    with answering(status, said) as url:
        assert check(monkeypatch, url) == 0


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy"])
def test_the_check_ignores_proxies(monkeypatch, name):
    for other in ("no_proxy", "NO_PROXY", "REQUEST_METHOD"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")

    with answering(200, report()) as url:
        assert check(monkeypatch, url) == 0
