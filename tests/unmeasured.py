"""Tests that leave coverage to others: it takes a third of the time of a page, and of the programs that are started."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import coverage
from coverage.exceptions import CoverageWarning

_FOR_SUBPROCESSES = "COVERAGE_PROCESS_CONFIG"
"""By this variable coverage follows into each process that is started."""


@contextmanager
def unmeasured() -> Iterator[None]:
    """Nothing that runs in the block, or in a process that begins in it, is measured."""
    measuring = coverage.Coverage.current()
    if measuring is None:
        yield
        return
    config = os.environ.pop(_FOR_SUBPROCESSES)
    measuring.stop()
    try:
        yield
    finally:
        with warnings.catch_warnings():
            # It says that what it measures was imported before; so it was, when it was started first.
            warnings.simplefilter("ignore", CoverageWarning)
            measuring.start()
        os.environ[_FOR_SUBPROCESSES] = config
