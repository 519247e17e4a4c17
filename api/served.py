"""What the routes read, and how they ask it about an index."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

from fastapi import Depends, HTTPException, Query, Request

from settings import Settings
from store.errors import NoDatabaseError
from store.export import tickets
from store.file.clock import exchange_now
from store.file.database import Cursor
from store.file.shared import Readable
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
    """What the routes read: the settings of this server and the record that they name.

    Attributes:
        settings, database: of the server.
        newest_replies: for each index the reply with its newest price, and the database revision that it was read at.
        health: the newest answer of /health.
        exports: places for requests that wait for a file; a request that finds no place is refused.
        begun: the files without an end that readers take in parts.
    """

    settings: Settings
    database: Readable
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
    configured = served.settings.indexes
    return ask_known(served, "ticker", ticker, configured, lambda cursor: index_names(cursor, configured), query)


def ask_known(
    served: Served,
    parameter: str,
    name: str,
    configured: Sequence[str],
    all_names: Callable[[Cursor], Sequence[str]],
    query: Callable[[Cursor], Answer],
) -> Answer | None:
    """Ask the database about what has a name; 422 when the name is neither configured nor stored.

    Args:
        served: what the routes read.
        parameter: of the request, which has the name.
        name: as the client wrote it.
        configured: the names that need no look into the database.
        all_names: reads these and all stored ones.
        query: reads the answer.

    Returns:
        None when the file does not exist yet.
    """
    known = configured
    try:
        with served.database.read() as cursor:
            if name not in known:
                known = all_names(cursor)
            if name in known:
                return query(cursor)
    except NoDatabaseError:
        if name in known:
            return None
    raise unknown(parameter, name, known)


def require_known(request: Request) -> None:
    """Answer 422 to a parameter that the route does not have: a misspelt `end` would be answered as of now.

    The ticket of a link belongs to the link, not to the route.
    """
    path = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    known = [each["name"] for each in request.app.openapi()["paths"][path]["get"]["parameters"]]
    strange = [name for name in request.query_params if name not in {*known, tickets.PARAMETER}]
    if strange:
        raise HTTPException(422, f"{shortened(strange[0])}: is no parameter; must be one of {', '.join(known)}")


def unknown(parameter: str, name: str, known: Sequence[str]) -> HTTPException:
    """The answer to a name that is not among the known ones."""
    allowed = f"must be one of {', '.join(known)}" if known else "nothing of that kind is recorded"
    return HTTPException(422, f"{parameter} = {shortened(name)}: {allowed}")
