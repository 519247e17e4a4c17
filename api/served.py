"""What the routes read, and how they ask it about an index."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException, Query, Request

from settings import Settings
from store.errors import NoDatabaseError
from store.file.clock import exchange_now
from store.file.database import Cursor, Database
from store.prices.indexes import index_names
from store.words import shortened

from .parts import BegunFiles
from .recent import Recent

MOST_EXPORTS = 4
"""The most requests that may wait for an export at one time; exports are made one by one. More could take all threads
that answer."""

Answer = TypeVar("Answer")

TICKER = "A configured or a stored index, as the exchange spells it."
Ticker = Annotated[str, Query(description=TICKER, examples=["btc_usd"])]


@dataclass(frozen=True)
class Served:
    """What the routes read: the settings of this server and the database that they name.

    Attributes:
        settings, database: of the server.
        newest_replies: for each index the reply with its newest price, and the database revision that it was read at.
        health: the newest answer of /health.
        exports: places for requests that wait for a file; a request that finds no place is refused.
        begun: the files without an end that readers take in parts.
    """

    settings: Settings
    database: Database
    newest_replies: dict[str, tuple[object, bytes]] = field(default_factory=dict)
    health: Recent = field(default_factory=Recent)
    exports: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(MOST_EXPORTS))
    begun: BegunFiles = field(default_factory=BegunFiles)

    def now(self) -> datetime:
        """Now, by the exchange's clock, since this machine's clock may be wrong."""
        return exchange_now(self.database.path)


async def _served(request: Request) -> Any:
    return request.app.state.served


OfServer = Annotated[Served, Depends(_served)]


def ask(served: Served, ticker: str, query: Callable[[Cursor], Answer]) -> Answer | None:
    """Ask the database about an index; 422 when it is neither configured nor stored.

    Returns None when the file does not exist yet.
    """
    known: Sequence[str] = served.settings.indexes
    try:
        with served.database.read() as cursor:
            if ticker not in known:
                known = index_names(cursor, known)
            if ticker in known:
                return query(cursor)
    except NoDatabaseError:
        if ticker in known:
            return None
    raise unknown(ticker, known)


def unknown(ticker: str, known: Sequence[str]) -> HTTPException:
    """The answer to a ticker that is not among the known ones."""
    return HTTPException(422, f"ticker = {shortened(ticker)}: must be one of {', '.join(known)}")
