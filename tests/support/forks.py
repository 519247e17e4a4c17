"""Our Python programs as forks of a process that has imported their modules already.

A new interpreter imports for 0.4 s before it can record, and for 1.5 s before it can serve pages. A fork takes 0.03 s.
It is a process like any other: a child of the process that asked, with arguments, environment and pipes of its own.
"""

import atexit
import contextlib
import ctypes
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from settings import ROOT

_RECORDS = ("poller.commands.main", "poller.recorder.recorder", "unittest.mock", "tests.conftest")
_SERVES = (*_RECORDS, "streamlit.web.cli", "pandas", "plotly.graph_objects", "api.app", "server.script", "uvicorn")

_PUBLISHES = ("duckdb", "pyarrow", "tests.store.lake.recordings")

_IMPORTED = {
    "poller": _RECORDS,
    "tests.faults.witness": _RECORDS,
    "tests.store.processes": _RECORDS,
    "tests.store.market.processes": _RECORDS,
    "tests.store.lake.processes": _PUBLISHES,
    "streamlit": _SERVES,
}
"""The programs that are forked, and what is imported ahead of each."""

_PR_SET_CHILD_SUBREAPER = 36


class Forked(subprocess.Popen[str]):
    """The process of `python -m <program> …`, made by a fork. This is the only part of Popen that it does otherwise."""

    def _execute_child(
        self,
        args: Sequence[str],
        executable: Any,
        preexec_fn: Any,
        close_fds: Any,
        pass_fds: Any,
        cwd: Any,
        env: Mapping[str, str],
        startupinfo: Any,
        creationflags: Any,
        shell: Any,
        *pipes_and_more: Any,
    ) -> None:
        pipes = pipes_and_more[:6]
        stdin, _, _, stdout, _, stderr = pipes
        self.pid = _parent_of(args[0]).fork(args[0], args[1:], env, (stdin, stdout, stderr))
        self._child_created = True
        self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]


class _Parent:
    """A process that has imported modules, has no thread but its own, and forks when it is told to."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._asked, its = socket.socketpair()
        with its:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(its.fileno()), *modules],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[its.fileno()],
            )
        self._one_at_a_time = threading.Lock()

    def fork(self, program: str, arguments: Sequence[str], environment: Mapping[str, str], pipes: Sequence[int]) -> int:
        """Start a program with these arguments, environment, stdin, stdout and stderr; return its number.

        What forked it ends at once, and this process adopts it, as it adopts all orphans meanwhile.
        """
        with self._one_at_a_time, self._asked.makefile("rwb") as file:
            _adopt(orphans=True)
            socket.send_fds(self._asked, [b"."], pipes)
            file.write(json.dumps([[program, *arguments], dict(environment)]).encode() + b"\n")
            file.flush()
            pid = int(file.readline())
            assert file.readline() == b"adopted\n"
            _adopt(orphans=False)
        return pid

    def end(self) -> None:
        self._asked.close()
        self._process.wait()


_forking = threading.Event()
_parents: dict[Sequence[str], _Parent] = {}
_starting = threading.Lock()


@contextlib.contextmanager
def forking() -> Iterator[None]:
    """Allow forks during the block, where the system can make them."""
    if _forking.is_set():
        yield
        return
    if sys.platform == "linux":
        _forking.set()
    try:
        yield
    finally:
        _forking.clear()
        while _parents:
            _parents.popitem()[1].end()


def may_fork(program: str, *arguments: str) -> bool:
    """Can it be forked? A script of another folder comes with modules of its own."""
    elsewhere = any(each.startswith("/") and each.endswith(".py") for each in arguments)
    return _forking.is_set() and program in _IMPORTED and not elsewhere


def _parent_of(program: str) -> _Parent:
    modules = _IMPORTED[program]
    with _starting:
        if modules not in _parents:
            _parents[modules] = _Parent(modules)
        return _parents[modules]


def _adopt(*, orphans: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(orphans), 0, 0, 0)


def _forks(asked: socket.socket, modules: Sequence[str]) -> bool:
    """Fork whenever it is asked for. Returns true in each fork, and false once nobody can ask any more."""
    for module in modules:
        importlib.import_module(module)
    gc.freeze()  # else the first collection in each fork would copy all of this
    while True:
        _, pipes, _, _ = socket.recv_fds(asked, 1, 3)
        if not pipes:
            return False
        with asked.makefile("rb", buffering=0) as file:
            command, environment = json.loads(file.readline())
        if not (between := os.fork()):
            if pid := os.fork():
                asked.sendall(f"{pid}\n".encode())
                os._exit(0)
            asked.close()
            _become(command, environment, pipes)
            return True
        os.waitpid(between, 0)
        asked.sendall(b"adopted\n")
        for pipe in pipes:
            os.close(pipe)


def _become(command: Sequence[str], environment: Mapping[str, str], pipes: Sequence[int]) -> None:
    for number, pipe in enumerate(pipes):
        os.dup2(pipe, number)
        os.close(pipe)
    atexit.register(gc.unfreeze)  # else DuckDB says at the end that its types were leaked
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = list(command)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _forks(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:]):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
