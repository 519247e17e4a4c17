"""Access rights that count for tests, whoever runs them."""

import contextlib
import ctypes
import os
import struct
from collections.abc import Iterator
from pathlib import Path

# linux/capability.h: capabilities 1 and 2 let root read, write and enter everything.
_VERSION_3 = 0x20080522
_BYPASS = 1 << 1 | 1 << 2


@contextlib.contextmanager
def rights_count() -> Iterator[None]:
    """Take from root, in this thread, the right to reach what a file's mode forbids."""
    if os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    head = struct.pack("Ii", _VERSION_3, 0)
    held = ctypes.create_string_buffer(24)
    assert libc.capget(head, held) == 0
    effective, *others = struct.unpack("6I", held.raw)
    assert libc.capset(head, struct.pack("6I", effective & ~_BYPASS, *others)) == 0
    try:
        yield
    finally:
        assert libc.capset(head, held) == 0


@contextlib.contextmanager
def without_access(path: Path, mode: int = 0) -> Iterator[None]:
    """Nobody reads, writes or enters a path, unless its mode says so."""
    before = path.stat().st_mode
    path.chmod(mode)
    try:
        with rights_count():
            yield
    finally:
        path.chmod(before)
