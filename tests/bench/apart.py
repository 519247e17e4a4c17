"""Work done in a process of its own, so that its memory is its own: `python -m <module> <what> <path> …`."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from settings import ROOT

_LOOK_EACH_S = 0.02


def apart(module: str, what: str, *paths: Path) -> tuple[str, float]:
    """Have one of a module's works done: what it says, and how many MB it had at most."""
    command = [sys.executable, "-m", module, what, *map(str, paths)]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process,
        most_memory(process.pid) as memory,
    ):
        said, complaint = process.communicate()
    if process.returncode:
        raise RuntimeError(complaint)
    return said, memory.most_mb


@dataclass
class Memory:
    """How many MB a process had at most."""

    most_mb: float = 0


@contextmanager
def most_memory(pid: int) -> Iterator[Memory]:
    """Watch the memory of a process."""
    found, over = Memory(), threading.Event()

    def watch() -> None:
        while not over.wait(_LOOK_EACH_S):
            found.most_mb = max(found.most_mb, resident(pid) / 1e6)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


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
