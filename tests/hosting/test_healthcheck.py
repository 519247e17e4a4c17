"""A container is well while its ticks are fresh, and while its first slot is still to come."""

import io
import json
import runpy
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from settings import ROOT

SCRIPT = ROOT / "deploy/healthcheck.py"


def report(status: str = "ok", **poller: object) -> str:
    """What /api/health answers a minute after a recorder was started, which polls every five minutes."""
    recorder = {
        "alive": True,
        "state": "recording",
        "words": "recording, 2 s old",
        "started_at": "2026-11-01T12:00:00+00:00",
        "poll_seconds": 300,
    }
    return json.dumps({"status": status, "now": "2026-11-01T12:01:00+00:00", "poller": recorder | poller})


def check(monkeypatch, *arguments: str, stdin: str = "") -> object:
    """What the check ends with: 0, or the words on stderr with which it ends with 1."""
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *arguments])
    monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return ended.value.code


@pytest.mark.parametrize(
    "said",
    [
        report(),
        report("empty", state="starting"),
        report("stale", state="starting"),
        report("stale", state="starting", started_at="2026-11-01T11:56:01+00:00"),
    ],
)
def test_it_is_well_with_fresh_ticks_and_until_its_first_slot(monkeypatch, said):
    assert check(monkeypatch, stdin=said) == 0


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (report("stale", words="exchange unreachable"), "stale: exchange unreachable"),
        (report("stale", state="starting", started_at="2026-11-01T11:54:59+00:00"), "stale: recording, 2 s old"),
        (report("empty", alive=False, state="starting", words="not recording"), "empty: not recording"),
        (json.dumps({"status": "empty", "poller": {"alive": False, "words": "not recording"}}), "empty: not recording"),
        (report("failed", words="recording"), "failed: recording"),
        ("", "no answer that could be read: Expecting value: line 1 column 1 (char 0)"),
        ("{}", "no answer that could be read: 'status'"),
    ],
)
def test_it_is_not_well_otherwise_and_says_why(monkeypatch, said, words):
    assert check(monkeypatch, stdin=said) == words


@pytest.mark.parametrize(("status", "said", "end"), [(200, report(), 0), (503, report("empty", state="starting"), 0)])
def test_a_dashboard_is_asked_and_what_it_says_counts_more_than_its_status(monkeypatch, status, said, end):
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
        ended = check(monkeypatch, f"http://127.0.0.1:{server.server_port}/api/health")
        thread.join()

    assert ended == end
