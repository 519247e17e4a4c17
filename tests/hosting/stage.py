"""A host: a folder with the deployed project, and programs that are started in it as hosts do."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx
import psutil

from settings import Settings
from store.file.database import Database
from store.health.status import health
from store.ledger import runs
from store.models import utc_now
from tests.conftest import wait_until
from tests.store.processes import CONTAINER

USER = 1000
BIN = Path(sys.executable).parent

# Any user except root, without rights except to read the place of the test's Python, such as root's home.
_RIGHTS = "-all,+dac_read_search"
NOBODY = (
    *("setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups", "--no-new-privs"),
    *("--bounding-set", _RIGHTS, "--inh-caps", _RIGHTS, "--ambient-caps", _RIGHTS),
)
IS_ROOT = os.geteuid() == 0 and shutil.which("setpriv") is not None


class Host:
    """A folder for the project, with a database as the only thing that may be written, and an exchange."""

    def __init__(self, app: Path, exchange: str) -> None:
        self.app = app
        self.settings = Settings(database=app / "data/ticks.duckdb", deribit_url=exchange, poll_seconds=1)
        self.database = Database(self.settings.database)

    def give_data(self) -> None:
        """Make the folder that the host's user may write."""
        (self.app / "data").mkdir()
        if IS_ROOT:
            os.chown(self.app / "data", USER, USER)

    def environment(self, **more: str) -> dict[str, str]:
        return {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(self.app),
            "TICKWELL_DERIBIT_URL": self.settings.deribit_url,
            "TICKWELL_POLL_SECONDS": str(self.settings.poll_seconds),
            "TICKWELL_MARKETS": ",".join(self.settings.markets) or "none",
            **more,
        }

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a command to its end beside the started programs."""
        return subprocess.run(
            [*(NOBODY if IS_ROOT else ()), *command],
            cwd=self.app,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_until_it_records(self) -> None:
        wait_until(lambda: health(self.database, self.settings, utc_now())["status"] == "ok", 30, 0.1)

    def ends_of_runs(self) -> list[bool]:
        """For each recorded run, whether it ended in an orderly way."""
        with self.database.read() as cursor:
            return [run.ended_at is not None for run in runs.runs(cursor)]


class Started:
    """A program of a host; killed at the end of the `with` block if it still runs.

    If the test runs as root, another user runs it. With `contained` it is process number 1, as in a container.
    """

    def __init__(
        self, host: Host, command: Sequence[str], environment: Mapping[str, str], *, contained: bool = False
    ) -> None:
        self._contained = contained and IS_ROOT
        prefix = [*(CONTAINER if self._contained else ()), *(NOBODY if IS_ROOT else ())]
        self._process = subprocess.Popen(
            [*prefix, *command],
            cwd=host.app,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()

    def stop(self) -> tuple[int, str]:
        """Send SIGTERM, as all hosts do; return the exit code and the output."""
        target = psutil.Process(self._process.pid)
        (target.children()[0] if self._contained else target).send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=10)
        return self._process.returncode, said


def health_under(host: str, port: int, path: str = "/api/health") -> int:
    """The status of a dashboard's health under a name."""
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers={"host": host}, timeout=5).status_code


def wait_until_well(port: int) -> None:
    """Wait until a dashboard says that the newest ticks are fresh."""

    def well() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/api/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_until(well, 30, 0.1)
