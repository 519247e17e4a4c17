"""How often the exchange is asked again."""

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager

from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from store.file.meters import Meters

from .errors import ExchangeError, PausedError


def count_retries(meters: Meters) -> None:
    """Count each retry of this process when its request is sent; a wait before it may still be cut short.

    This replaces stamina's own count, which would load the Prometheus client for a registry that nobody reads.
    """

    @contextlib.contextmanager
    def waited_for() -> Iterator[None]:
        yield
        meters.retried()

    def hook(details: RetryDetails) -> AbstractContextManager[None] | None:
        asked = isinstance(details.caused_by, ExchangeError) and not isinstance(details.caused_by, PausedError)
        return waited_for() if asked else None

    set_on_retry_hooks([hook])
