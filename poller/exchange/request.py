"""One request to the exchange: bounded in time and in bytes, whatever it ends with told as an ExchangeError."""

import asyncio
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

import httpx

from poller.network.http_client import FAILURES
from poller.words import one_line

from .errors import ClosedError, UnreachableError
from .wire import RawReply

_GZIP = 31  # zlib's way to say: gzip's head and sum, the largest window
_CONNECTING = ".connect_tcp.started"
_TRAILING = attrgetter("_stream._httpcore_stream._stream._connection._h11_state.trailing_data")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long a request may last as a whole, in seconds, and how long its body may be, in bytes once unpacked."""

    seconds: float
    most_bytes: int


class Way:
    """How a request goes, as httpcore tells meanwhile; `through` names the proxy, for errors."""

    def __init__(self, through: str = "") -> None:
        self.through = through
        self.new = False
        """It makes a connection of its own: no kept one was free."""

    async def trace(self, event: str, _: object) -> None:
        """Hear an event of httpcore."""
        self.new |= event.endswith(_CONNECTING)


async def fetch(
    http: httpx.AsyncClient, url: str, params: Mapping[str, str], asked: str, bounds: Bounds, way: Way
) -> RawReply:
    """Send a request and read its reply.

    Raises:
        ClosedError: the connection had been kept, and turned out to be closed.
        UnreachableError: there is no reply, or not all of it; the text says why.
    """
    try:
        async with (
            asyncio.timeout(bounds.seconds),
            http.stream("GET", url, params=params, extensions={"trace": way.trace}) as response,
        ):
            body, trouble = await _body_alone(response, bounds.most_bytes)
    except TimeoutError as error:
        late = f"{asked}: no whole reply within {bounds.seconds:g} s"
        raise UnreachableError((reason_of(error) if error.errno else late) + way.through) from error
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
        raise (UnreachableError if way.new else ClosedError)(reason_of(error) + way.through) from error
    except FAILURES as error:
        raise UnreachableError(reason_of(error) + way.through) from error
    return RawReply(response.status_code, response.reason_phrase, response.headers, body, trouble)


async def _body_alone(response: httpx.Response, most: int) -> tuple[bytes, str]:
    """As `_body`. A connection that brings more than the reply is closed, and the reply is not believed either."""
    body, trouble = await _body(response, most)
    if trouble or not _left_over(response):
        return body, trouble
    await response.extensions["network_stream"].aclose()
    return b"", "is followed by more than was asked for"


def _left_over(response: httpx.Response) -> bytes:
    """What came behind a reply in the same packet: httpcore would take it for the reply to the next question.

    httpcore has no public way to ask that. A stand-in for a connection has no such bytes.
    """
    try:
        return bytes(_TRAILING(response.stream)[0])
    except AttributeError:
        return b""


async def _body(response: httpx.Response, most: int) -> tuple[bytes, str]:
    """The body, unpacked; or what is wrong with it.

    It unpacks by itself: httpx unpacks a part as a whole, and a part of 64 kB may become 64 MB.
    """
    coding = response.headers.get("content-encoding", "").strip().lower() or "identity"
    if coding not in {"identity", "gzip", "x-gzip"}:
        return b"", f"is packed by {one_line(coding)!r}, expected gzip or nothing"
    unzip = None if coding == "identity" else zlib.decompressobj(_GZIP)
    body, came = bytearray(), 0
    try:
        async for part in cast("AsyncIterable[bytes]", response.stream):
            came += len(part)
            body += part if unzip is None else unzip.decompress(part, most + 1 - len(body))
            if max(came, len(body)) > most:
                return b"", f"is longer than {most:,} bytes"
    except zlib.error as error:
        return b"", f"is no gzip, as its head says: {error}"
    if unzip is not None and came and not unzip.eof:
        return b"", "is cut off within its gzip"
    return bytes(body), ""


def reason_of(error: Exception) -> str:
    """Why no reply came, in the system's words, such as "connection refused"."""
    if isinstance(error, httpx.TimeoutException):
        return f"no reply in time ({type(error).__name__})"
    if isinstance(error, httpx.ProxyError):
        return f"the proxy refuses: {error}"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, OSError) and cause.errno:
            return _of_the_system(cause, cause.errno)
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _of_the_system(error: OSError, number: int) -> str:
    # asyncio puts words of its own into strerror; the resolver and TLS have numbers of their own
    numbered_apart = isinstance(error, socket.gaierror | ssl.SSLError)
    words = str(error.strerror) if numbered_apart else os.strerror(number)
    return words[:1].lower() + words[1:]
