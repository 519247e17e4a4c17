"""A dashboard in a process of its own."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.conftest import Program, wait_until


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Dashboard:
    """A dashboard in a process of its own, and the token for its API."""

    url: str
    program: Program
    token: str = ""

    def health(self) -> dict[str, Any] | None:
        """The answer of /api/health; None while it does not answer."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            report: dict[str, Any] = httpx.get(f"{self.url}/api/health", headers=headers, timeout=5).json()
        except httpx.TransportError:
            return None
        return report

    def wait_for_ticks(self, count: int = 1) -> dict[str, Any]:
        """Wait until each index has this many ticks, and return the health."""

        def enough() -> dict[str, Any] | None:
            report = self.health()
            names = report["poller"].get("indexes", []) if report else []
            ticks = [report["indexes"].get(name, {}).get("ticks", 0) for name in names] if report else []
            return report if ticks and min(ticks) >= count else None

        report: dict[str, Any] = wait_until(enough, timeout_s=25)
        return report


NO_SECRETS = Path("/nonexistent/secrets.toml")


@contextmanager
def dashboard_at(
    port: int, script: str = "dashboard.py", secrets: Path = NO_SECRETS, path: str = "", **settings: Any
) -> Iterator[Dashboard]:
    """A dashboard that serves below a path, or that has ended already. It knows none of this machine's secrets."""
    options = ["--server.address", "localhost", "--server.headless", "true", "--server.port", str(port)]
    options += ["--secrets.files", str(secrets), "--server.baseUrlPath", path]
    with Program("streamlit", "run", script, *options, **settings) as program:
        dashboard = Dashboard(f"http://localhost:{port}{path}", program)
        wait_until(lambda: answers(dashboard.url) or program.process.poll() is not None, timeout_s=25)
        yield dashboard


def answers(url: str) -> bool:
    """Does a Streamlit server answer?"""
    try:
        return httpx.get(f"{url}/_stcore/health").is_success
    except httpx.TransportError:
        return False
