"""A real PostgreSQL and a real server of buckets, on free ports of this machine."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psycopg
import pytest

PASSWORD = "p@ss'word"
IN_URL = "p%40ss%27word"

BUCKET = "tickwell"

REQUIRED = bool(os.environ.get("REQUIRE_LAKE"))
"""A test that can't have its servers or extensions fails, where it would be skipped."""


def absent(what: str) -> NoReturn:
    """Skip the test, or fail it where servers are required."""
    if REQUIRED:
        pytest.fail(what)
    pytest.skip(what)


class PostgreSQL:
    """A server of its own folder. It refuses to run as root."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._user = "nobody" if os.geteuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def make(self) -> None:
        self._folder.chmod(0o755)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._user:
            shutil.chown(self._folder, self._user)
        options = [
            "--auth=scram-sha-256",
            f"--pwfile={password}",
            "--username=tickwell",
            "--no-sync",
            "--no-instructions",
        ]
        self._run("initdb", f"--pgdata={self._folder / 'data'}", "--no-locale", "--encoding=UTF8", *options)

    def start(self) -> None:
        options = f"-p {self.port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._control("start", "--options", options, "--log", str(self._folder / "log"))

    def stop(self) -> None:
        self._control("stop", "--mode=immediate")

    def url(self, database: str, password: str = IN_URL) -> str:
        return f"postgresql://tickwell:{password}@127.0.0.1:{self.port}/{database}"

    @contextlib.contextmanager
    def connected(self, database: str = "postgres") -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            yield connection

    def _control(self, *arguments: str) -> None:
        self._run("pg_ctl", f"--pgdata={self._folder / 'data'}", "--wait", "--silent", *arguments)

    def _run(self, program: str, *arguments: str) -> None:
        # Its output goes into no pipe: the server would keep the pipe open.
        subprocess.run(
            [self._programs / program, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
            user=self._user,
        )


def postgresql_programs() -> Path | None:
    """The folder of initdb and pg_ctl. Debian has them outside the PATH, a folder a version."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return folders[-1] if folders else None


@contextlib.contextmanager
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL that runs during the block."""
    programs = postgresql_programs()
    if programs is None:
        absent("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="tickwell-postgresql-"))
    server = PostgreSQL(programs, folder)
    try:
        server.make()
        server.start()
        yield server
    finally:
        with contextlib.suppress(subprocess.CalledProcessError):  # it is stopped already
            server.stop()
        shutil.rmtree(folder)
