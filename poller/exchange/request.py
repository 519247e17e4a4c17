"""One request to the exchange, bounded in time and in bytes. Every failure becomes an ExchangeError."""

import asyncio
import os
import socket
import ssl
import zlib
from collections.abc import AsyncIterable, Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import cast

import httpx

from poller.network.http_client import FAILURES
from poller.words import one_line

from .errors import ClosedError, UnreachableError
from .wire import RawReply

_GZIP = 31  # for zlib: expect gzip's header and checksum, with the largest window
_CONNECTING = ".connect_tcp.started"
_SENDING = ".send_request_headers.started"
_TRAILING = attrgetter("_stream._httpcore_stream._stream._connection._h11_state.trailing_data")


@dataclass(frozen=True, slots=True)
class Bounds:
    """The longest time of a whole request, in seconds, and the largest body, in bytes once unpacked."""

    seconds: float
    most_bytes: int


class Way:
    """How a request goes, by the events of httpcore.

    Args:
        to: the host, for errors.
        through: names the proxy, for errors.
        sent: called when the request is sent.
    """

    def __init__(self, to: str, through: str = "", sent: Callable[[], object] = bool) -> None:
        self._to, self._through, self._sent = to, through, sent
        self.new = False
        """The request makes a connection of its own, because no kept one was free."""

    def words(self, reason: str) -> str:
        """Why no reply came, such as "www.deribit.com: connection refused"."""
        return f"{self._to}: {reason}{self._through}"

    async def trace(self, event: str, _: object) -> None:
        """Note an event of httpcore."""
        self.new |= event.endswith(_CONNECTING)
        if event.endswith(_SENDING):
            self._sent()


async def fetch(
    http: httpx.AsyncClient, url: str, params: Mapping[str, str], asked: str, bounds: Bounds, way: Way
) -> RawReply:
    """Send a request and read its reply.

    Raises:
        ClosedError: the connection was a kept one, and turned out to be closed.
        UnreachableError: no reply came, or only a part; the text says why.
    """
    try:
        async with (
            asyncio.timeout(bounds.seconds),
            http.stream("GET", url, params=params, extensions={"trace": way.trace}) as response,
        ):
            body, trouble = await _body_alone(response, bounds.most_bytes)
    except TimeoutError as error:
        late = f"{asked}: no whole reply within {bounds.seconds:g} s"
        raise UnreachableError(way.words(reason_of(error) if error.errno else late)) from error
    except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
        raise (UnreachableError if way.new else ClosedError)(way.words(reason_of(error))) from error
    except FAILURES as error:
        raise UnreachableError(way.words(reason_of(error))) from error
    return RawReply(response.status_code, response.reason_phrase, response.headers, body, trouble)


async def _body_alone(response: httpx.Response, most: int) -> tuple[bytes, str]:
    """As `_body`. If more than the reply came, the connection is closed and the reply is dropped."""
    body, trouble = await _body(response, most)
    if trouble or not _left_over(response):
        return body, trouble
    await response.extensions["network_stream"].aclose()
    return b"", "is followed by more than was asked for"


def _left_over(response: httpx.Response) -> bytes:
    """The bytes that came after a reply in the same packet: httpcore would take them for the next reply.

    httpcore has no public way to ask for them. A test's fake connection has no such bytes.
    """
    try:
        return bytes(_TRAILING(response.stream)[0])
    except AttributeError:
        return b""


async def _body(response: httpx.Response, most: int) -> tuple[bytes, str]:
    """The unpacked body; or what is wrong with it.

    This function unpacks: httpx would unpack a part as a whole, and a part of 64 kB may become 64 MB.
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
        return b"", f"is not gzip, although its header says so: {error}"
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
    # asyncio puts its own words into strerror; the resolver and TLS have numbers of their own
    numbered_apart = isinstance(error, socket.gaierror | ssl.SSLError)
    words = str(error.strerror) if numbered_apart else os.strerror(number)
    return words[:1].lower() + words[1:]
