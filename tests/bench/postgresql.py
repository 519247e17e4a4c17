"""A PostgreSQL server for a while, from what the machine has installed."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AbsentError(Exception):
    """This machine doesn't have what a peer needs."""


@contextmanager
def server(folder: Path) -> Iterator[Path]:
    """A server of our own in a new folder, where its socket is too, which only its user and root may enter."""
    initdb, pg_ctl = _program("initdb"), _program("pg_ctl")
    user = _not_root()
    folder.mkdir(mode=0o700)
    if user:
        shutil.chown(folder, user)
        folder.parent.chmod(folder.parent.stat().st_mode | 0o011)  # a temporary folder lets nobody else through

    def run(program: str, *arguments: str) -> None:
        command = [program, "--pgdata", str(folder / "data"), *arguments]
        done = subprocess.run(command, user=user, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AbsentError(f"{Path(program).name} says: {' '.join(done.stderr.split())}")

    run(initdb, "--username=tickwell", "--auth=trust", "--no-locale", "--encoding=UTF8", "--no-sync")
    run(pg_ctl, "start", "--wait", f"--log={folder / 'log'}", f"--options=-h '' -k '{folder}'")
    try:
        yield folder
    finally:
        run(pg_ctl, "stop", "--wait", "--mode=fast")


def _program(name: str) -> str:
    folders = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)]))
    if found is None:
        raise AbsentError("PostgreSQL is not installed")
    return found


def _not_root() -> str | None:
    """Whose PostgreSQL runs, which refuses to as root; None for whoever runs this."""
    if os.geteuid():
        return None
    return "postgres" if "postgres" in {user.pw_name for user in pwd.getpwall()} else "nobody"
