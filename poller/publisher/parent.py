"""Ends a publisher with the recorder that started it, also if that was killed."""

import os
import queue
import signal
import threading
from collections.abc import Callable

# What is under way may end meanwhile. Longer than the recorder itself waits before it kills.
_ENDS_WITHIN_S = 5.0

_STANDARD_INPUT = 0


def end_with_recorder(
    signals: "queue.SimpleQueue[int]",
    pipe: int = _STANDARD_INPUT,
    ends_within_s: float = _ENDS_WITHIN_S,
    end: Callable[[int], None] = os._exit,
) -> None:
    """Put a signal into the queue when standard input ends, and end this process if it is still there soon after.

    The recorder holds the other end of the pipe. The system closes that end with the recorder, however it ends.
    """
    threading.Thread(
        target=_watch, args=(signals, pipe, ends_within_s, end), name="tickwell-parent", daemon=True
    ).start()


def _watch(signals: "queue.SimpleQueue[int]", pipe: int, ends_within_s: float, end: Callable[[int], None]) -> None:
    os.read(pipe, 1)
    signals.put(signal.SIGTERM)
    threading.Event().wait(ends_within_s)
    end(1)
