"""The guard around a job: what it raises is logged and stops nobody else."""

import contextlib
import logging
from collections.abc import Iterator

log = logging.getLogger("tickwell.runner")


@contextlib.contextmanager
def guarded(name: str) -> Iterator[None]:
    """Log whatever a job raises, so that it does not reach the loop that runs it. Being cancelled is no failure."""
    try:
        yield
    except Exception:
        log.exception("the job %s failed", name)
