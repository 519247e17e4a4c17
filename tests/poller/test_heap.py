"""The memory of a recorder's process."""

import platform
import subprocess
import sys

import pytest

from poller import heap
from settings import ROOT

_HEAPS = """
import ctypes, sys, threading
from poller.heap import share_one_heap

if sys.argv[1] == "shared":
    share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
started = threading.Barrier(4)

def allocate():
    libc.malloc(100)
    started.wait()

threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have one heap")
@pytest.mark.parametrize(("how", "one"), [("shared", True), ("as it is", False)])
def test_threads_share_one_heap(how, one):
    said = subprocess.run([sys.executable, "-c", _HEAPS, how], cwd=ROOT, capture_output=True, text=True, check=True)

    assert (said.stdout.count("<heap nr=") == 1) is one


def test_where_there_is_no_such_call_nothing_happens(monkeypatch):
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())

    heap.share_one_heap()
