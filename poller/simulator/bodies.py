"""What the simulator sends: replies with their envelopes, the odd replies of faults, and how a body is sent."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.client import responses
from typing import Literal

from .faults import Fault
from .replies import Json, RpcError

TOO_MANY_REQUESTS = (10028, "too_many_requests")

# A body of 200 MB is sent in pieces of this size, so that no handler needs more memory.
_PIECE_BYTES = 1 << 20

Ending = Literal["as_promised", "reset", "cut_off", "hang_up"]


@dataclass(frozen=True)
class Reply:
    """An HTTP reply, and what happens to the connection.

    ending: the connection is kept or closed as the header promises, or it is broken.
    blanks: this many bytes of white space precede the body; JSON allows them.
    byte_every_s: seconds before each byte of the body; 0 sends it at once.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    ending: Ending = "as_promised"
    blanks: int = 0
    byte_every_s: float = 0

    @property
    def length(self) -> int:
        """The bytes that the header promises."""
        return self.blanks + len(self.body)

    def pieces(self, head: bytes, pause: Callable[[float], object]) -> Iterator[bytes]:
        """Header and body, in one piece unless a fault asks for more; `pause` waits for seconds."""
        body = self.body[: len(self.body) // 2] if self.ending == "cut_off" else self.body
        if self.byte_every_s:
            yield head
            for byte in body:
                pause(self.byte_every_s)
                yield bytes([byte])
            return
        for start in range(0, self.blanks, _PIECE_BYTES):
            yield head + b" " * min(_PIECE_BYTES, self.blanks - start)
            head = b""
        yield head + body


@dataclass(frozen=True)
class Stamp:
    """The exchange's times of a call, what its envelope repeats, and whether it comes from the test environment."""

    came: datetime
    leaves: datetime
    echo: Mapping[str, Json] = field(default_factory=dict)
    testnet: bool = False

    def envelope(self, content: Mapping[str, Json]) -> bytes:
        came_us, leaves_us = _us(self.came), _us(self.leaves)
        times = {"usIn": came_us, "usOut": leaves_us, "usDiff": leaves_us - came_us}
        return json.dumps({"jsonrpc": "2.0", **self.echo, **content, **times, "testnet": self.testnet}).encode()


def error_reply(error: RpcError, stamp: Stamp, status: int = 400, headers: Mapping[str, str] | None = None) -> Reply:
    content = {"code": error.code, "message": error.message}
    if error.data is not None:
        content["data"] = error.data
    return Reply(status, stamp.envelope({"error": content}), headers=headers or {})


def html_reply(status: int) -> Reply:
    """The page that the edge in front of the exchange sends."""
    title = f"{status} {responses.get(status, 'Unknown')}"
    page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Reply(status, page.encode(), "text/html")


def replacement(fault: Fault, stamp: Stamp) -> Reply:
    """The reply that a fault of a kind in `INSTEAD` sends in place of a good one."""
    match fault.kind:
        case "error":
            return error_reply(RpcError(fault.code, fault.message, fault.data), stamp, fault.status or 400)
        case "rate_limit":
            headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
            return error_reply(RpcError(*TOO_MANY_REQUESTS), stamp, 429, headers)
        case "html":
            return html_reply(fault.status or 502)
        case "not_json":
            return Reply(200, b"The exchange is being restarted.\n", "text/plain")
        case "nested":
            return Reply(200, _nested(stamp, fault.depth))
        case _:
            return Reply(200, b"", ending="reset")


def _nested(stamp: Stamp, depth: int) -> bytes:
    """A result of lists in lists. Python's own encoder gives up at a depth of a thousand."""
    head, tail = stamp.envelope({"result": []}).split(b"[]")
    return head + b"[" * depth + b"]" * depth + tail


def _us(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
