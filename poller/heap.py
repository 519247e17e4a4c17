"""The C library's memory of this process."""

import contextlib
import ctypes

_M_ARENA_MAX = -8  # malloc.h of glibc


def share_one_heap() -> None:
    """Have all threads share one heap. glibc gives each thread another, and a recorder then takes 2 MB more.

    Other C libraries have one heap, or don't know this call. Call it before a second thread starts.
    """
    with contextlib.suppress(AttributeError, TypeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)
