"""What the parts of a backfill that ask for candles of futures share."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from poller.exchange.client import DeribitClient
from store.file.database import Database

from .asking import Asking
from .storing import Storing


@dataclass(frozen=True)
class Parts:
    """The parts of a backfill.

    Attributes:
        client: shared with the polls.
        database: with its tables.
        asking: asks a few times.
        storing: stores and heals.
        undisturbed: does work on the database when it delays no slot.
        pause: waits before a request.
        tell: called before each request with the kind of work, the number of the request and how many there are.
    """

    client: DeribitClient
    database: Database
    asking: Asking
    storing: Storing
    undisturbed: Callable[[str, Callable[[], Any]], Awaitable[Any]]
    pause: Callable[[], Awaitable[None]]
    tell: Callable[[str, int, int], None]
