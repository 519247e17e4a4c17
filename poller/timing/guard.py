"""The guard around a job: it logs what the job raises, and other jobs go on."""

import contextlib
import logging
from collections.abc import Iterator

log = logging.getLogger("tickwell.runner")


@contextlib.contextmanager
def guarded(name: str) -> Iterator[None]:
    """Log what a job raises, and keep it from the loop that runs the job. A cancelled job is not a failure."""
    try:
        yield
    except Exception:
        log.exception("the job %s failed", name)
