"""Work done in a process of its own, so that its memory is its own: `python -m <module> <what> <path> …`."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from settings import ROOT

_LOOK_EACH_S = 0.02


def apart(module: str, what: str, *paths: Path) -> tuple[str, float]:
    """Have one of a module's works done: what it says, and how many MB it had at most."""
    command = [sys.executable, "-m", module, what, *map(str, paths)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        most = 0
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                said, complaint = process.communicate(timeout=_LOOK_EACH_S)
                break
            most = max(most, resident(process.pid))
    if process.returncode:
        raise RuntimeError(complaint)
    return said, most / 1e6


def resident(pid: int) -> int:
    """The bytes of memory that a process has; 0 once it ended."""
    try:
        its: Any = psutil.Process(pid).memory_info()
    except psutil.NoSuchProcess:
        return 0
    return int(its.rss)


def do(works: Mapping[str, Callable[..., object]]) -> None:
    """Do the work that the command line names, and say what it gives."""
    print(works[sys.argv[1]](*map(Path, sys.argv[2:])))
