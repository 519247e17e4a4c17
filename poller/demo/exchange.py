"""The exchange that is asked: Deribit, or the built-in simulator of a demo."""

import contextlib
from collections.abc import Iterator

from settings import Settings


@contextlib.contextmanager
def exchange_url(settings: Settings) -> Iterator[str]:
    """The base address of the exchange. A simulator serves until the block ends."""
    if not settings.demo:
        yield settings.deribit_url
        return
    from poller.simulator.server import Simulator  # takes 1 MB, which only a demo needs

    with Simulator() as simulator:
        yield simulator.url
