"""Each reply of the exchange becomes a tick, or one clean line that says why not."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import h11
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_httpx import HTTPXMock

from poller.exchange.client import DeribitClient
from poller.exchange.errors import ExchangeError, RefusedError, RejectedReplyError, UnavailableError, UnreachableError
from poller.exchange.request import Bounds
from poller.exchange.wire import RawReply, Reply, read
from tests.poller.conftest import Answer, Clock, ScriptedServer, envelope, http, refusal
from tests.support.examples import examples

Serve = Callable[[Answer], ScriptedServer]

PRICE_URL = "https://www.deribit.com/api/v2/public/get_index_price?index_name=btc_usd"
GOOD = json.dumps(envelope({"index_price": 1.5})).encode()


def failure(url: str) -> ExchangeError:
    """The error of a request for a price."""

    async def asking() -> None:
        async with DeribitClient(url, clock=Clock()) as client:
            await client.index_price("btc_usd")

    with pytest.raises(ExchangeError) as raised:
        asyncio.run(asking())
    return raised.value


def meaning(body: bytes, status: int = 200, reason: str = "OK") -> ExchangeError:
    """The error that the body of a reply means."""
    with pytest.raises(ExchangeError) as raised:
        read(RawReply(status, reason, {}, body), "get_index_price btc_usd")
    return raised.value


# Words and numbers of the exchange


@pytest.mark.parametrize("code", [2**31, -(2**31) - 1, 2**70, True, 10041.0, "10041", None, [1], {}, 10**4000])
def test_a_code_too_large_for_the_column_is_dropped(code):
    error = meaning(json.dumps(refusal(code)).encode(), 400)

    assert isinstance(error, RefusedError)
    assert error.code is None


@pytest.mark.parametrize("code", [2**31 - 1, -(2**31)])
def test_a_code_that_fits_the_column_is_kept(code):
    assert meaning(json.dumps(refusal(code)).encode(), 400).code == code


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ({"code": 1, "message": "bad \ud83d name"}, "1 bad \ufffd name"),
        ({"code": 1, "message": "bad \x00\r\n name"}, "1 bad name"),
        ({"code": 1, "message": "x" * 1_000_000}, "1 " + "x" * 200),
        ({"code": "9" * 300, "message": "no"}, "9" * 20 + " no"),
        ({"code": 1, "message": ["a", {}]}, "1 ['a', {}]"),
        ({"code": 1, "message": "m", "data": {"param": "p\n", "reason": "r" * 300}}, f"1 m (p: {'r' * 200})"),
    ],
    ids=["surrogate", "control", "long", "code", "list", "reason"],
)
def test_words_of_the_exchange_become_one_short_line(error, line):
    body = json.dumps({"error": error}).encode()

    assert str(meaning(body, 400)) == f"get_index_price btc_usd: {line}"


def test_the_reason_of_an_edge_is_one_short_line_too():
    error = meaning(b"", 502, "Bad\tGateway" + "!" * 300)

    assert str(error) == "get_index_price btc_usd: HTTP 502 Bad Gateway" + "!" * 189


def test_a_page_in_place_of_a_reply_is_shown_by_its_beginning():
    error = meaning(b"<!DOCTYPE html>\n<html>" + b"<p>Please wait</p>" * 10_000)

    shown = "<!DOCTYPE html> <html>" + "<p>Please wait</p>" * 4
    assert str(error) == (f"get_index_price btc_usd: HTTP 200 body is {shown[:80]!r}, expected JSON with a result")


@pytest.mark.parametrize(
    "part",
    ["[" * 10_000 + "]" * 10_000, '{"a":' * 10_000 + "1" + "}" * 10_000, "1" * 5000, "1" * 4000, "[" * 900 + "]" * 900],
    ids=["lists", "objects", "digits", "fewer digits", "fewer lists"],
)
@pytest.mark.parametrize("body", ['{"usOut": PART, "result": 1}', '{"result": PART}', '{"error": {"code": PART}}'])
def test_json_that_python_can_hardly_read_is_rejected(body, part):
    error = meaning(body.replace("PART", part).encode())

    assert isinstance(error, RejectedReplyError | RefusedError)
    assert len(str(error)) < 300


def test_published_names_are_cleaned_too(httpx_mock: HTTPXMock):
    found = json.dumps(envelope(["btc_usd", "bad\x00\ud83d", "x" * 1000]))
    httpx_mock.add_response(text=found, is_reusable=True)

    async def names() -> frozenset[str]:
        async with DeribitClient("https://www.deribit.com/api/v2") as client:
            return await client.supported_index_names()

    assert asyncio.run(names()) == {"btc_usd", "bad \ufffd", "x" * 200}


def anything(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    keys = st.sampled_from(["result", "error", "code", "message", "data", "param", "reason", "usOut", "usDiff"])
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | text | st.sampled_from([10041, 2**31, 10028]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys | text, inner, max_size=5),
        max_leaves=10,
    )


TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=30)
BODIES = st.binary(max_size=60) | anything(TEXT).map(lambda value: json.dumps(value).encode())


@examples(300)
@given(body=BODIES, status=st.integers(200, 599), reason=TEXT, server=TEXT)
@example(body=b'{"result": 1, "usOut": 1789939036123456, "testnet": true}', status=200, reason="", server="")
def test_any_bytes_are_a_reply_or_an_exchange_error_in_one_line(body, status, reason, server):
    came: Reply | ExchangeError
    try:
        came = read(RawReply(status, reason, {"server": server, "retry-after": reason}, body), "status")
    except ExchangeError as error:
        came = error

    if isinstance(came, ExchangeError):
        line = str(came)
        assert line.startswith("status:")
        assert line.isprintable()
        assert len(line.encode()) <= 2000
        assert came.code is None or -(2**31) <= came.code < 2**31
    else:
        assert 2015 <= came.sent_at.year < 2100


# Bodies


def test_a_long_body_is_not_read_to_its_end(serve: Serve):
    error = failure(serve(lambda _: http(b" " * 40_000_000)).url)

    assert isinstance(error, RejectedReplyError)
    assert str(error) == "get_index_price btc_usd: HTTP 200 body is longer than 1,000,000 bytes"


def test_a_body_that_unpacks_to_far_more_is_not_unpacked_to_its_end(serve: Serve):
    bomb = gzip.compress(bytes(50_000_000), 1)

    error = failure(serve(lambda _: http(bomb, "200 OK", "Content-Encoding: gzip")).url)

    assert str(error) == "get_index_price btc_usd: HTTP 200 body is longer than 1,000,000 bytes"
    assert len(bomb) < 300_000


def test_a_packed_reply_is_unpacked(serve: Serve):
    server = serve(lambda _: http(gzip.compress(GOOD), "200 OK", "Content-Encoding: gzip"))

    async def asking() -> float:
        async with DeribitClient(server.url) as client:
            return (await client.index_price("btc_usd")).price

    assert asyncio.run(asking()) == 1.5


@pytest.mark.parametrize(
    ("coding", "body", "trouble"),
    [
        (
            "gzip",
            b"not packed",
            "is not gzip, although its header says so: Error -3 while decompressing data: incorrect header check",
        ),
        ("gzip", gzip.compress(GOOD)[:-9], "is cut off within its gzip"),
        ("br", GOOD, "is packed by 'br', expected gzip or nothing"),
        ("gzip, gzip", GOOD, "is packed by 'gzip, gzip', expected gzip or nothing"),
    ],
)
def test_a_body_that_can_not_be_unpacked_is_rejected_with_its_cause(serve: Serve, coding, body, trouble):
    error = failure(serve(lambda _: http(body, "200 OK", f"Content-Encoding: {coding}")).url)

    assert isinstance(error, RejectedReplyError)
    assert str(error) == f"get_index_price btc_usd: HTTP 200 body {trouble}"


def test_a_page_of_the_edge_that_can_not_be_unpacked_is_still_a_temporary_error(serve: Serve):
    error = failure(serve(lambda _: http(b"?", "502 Bad Gateway", "Content-Encoding: br")).url)

    assert isinstance(error, UnavailableError)
    assert str(error) == "get_index_price btc_usd: HTTP 502 Bad Gateway"


def test_an_empty_body_may_claim_to_be_packed(serve: Serve):
    error = failure(serve(lambda _: http(b"", "200 OK", "Content-Encoding: gzip")).url)

    assert str(error) == "get_index_price btc_usd: HTTP 200 body is '', expected JSON with a result"


# Heads


@pytest.mark.parametrize(
    "header",
    [
        "Location: http://[",
        "Location: ssh://elsewhere",
        "Location: //\u00e4\u00f6\u00fc:99999/",
        "Set-Cookie: \x7f; expires=never",
        "Server: \u00ff\u00fe\u0080",
        "Retry-After: \u00b2",
        "X: " + "y" * 90_000,
    ],
    ids=lambda header: ascii(header[:20]),
)
@pytest.mark.parametrize("status", ["302 Found", "200 OK"])
def test_an_odd_head_costs_no_more_than_its_own_reply(serve: Serve, header, status):
    head = f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n{header}\r\n\r\n{{}}"

    error = failure(serve(lambda _: head.encode("latin-1")).url)

    assert isinstance(error, RejectedReplyError | UnreachableError)
    assert str(error)


def test_no_cookie_is_kept(serve: Serve):
    heads: list[str] = []

    def answer(_: str) -> bytes:
        return http(GOOD, "200 OK", "Set-Cookie: a=b; Path=/")

    server = serve(answer)

    async def asking() -> int:
        async with DeribitClient(server.url) as client:
            client._http.event_hooks["request"].append(remember)
            for _ in range(2):
                await client.index_price("btc_usd")
            return len(client._http.cookies)

    async def remember(request: httpx.Request) -> None:
        heads.append(str(request.headers))

    assert asyncio.run(asking()) == 0
    assert len(heads) == 2
    assert "cookie" not in "".join(heads)


# Time


@pytest.mark.parametrize("asked", ["price", "chart"])
def test_a_reply_that_trickles_in_is_given_up(serve: Serve, asked):
    over = threading.Event()

    def drip(_: str) -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
        while not over.wait(0.02):
            yield b" "

    server = serve(drip)

    async def asking() -> None:
        long, short = Bounds(seconds=60, most_bytes=1000), Bounds(seconds=0.3, most_bytes=1000)
        if asked == "price":
            async with DeribitClient(server.url, bounds=short, bounds_of_charts=long) as client:
                await client.index_price("btc_usd")
        async with DeribitClient(server.url, bounds=long, bounds_of_charts=short) as client:
            await client.index_chart("btc_usd", "1h")

    began = time.monotonic()
    with pytest.raises(UnreachableError, match=r": get_index_\w+ btc_usd( 1h)?: no whole reply within 0.3 s$"):
        asyncio.run(asking())
    over.set()
    assert time.monotonic() - began < 5


# What a request may end with


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        (OSError(113, "x"), "no route to host"),
        (TimeoutError(110, "x"), "connection timed out"),
        (httpx.InvalidURL("odd address"), "odd address"),
        (httpx.DecodingError("odd body"), "odd body"),
        (httpx.StreamClosed(), "Attempted to read or stream content, but the stream has been closed."),
        (httpx.ProxyError("403 Forbidden"), "the proxy refuses: 403 Forbidden"),
        (h11.LocalProtocolError("odd order"), "odd order"),
        (ValueError("odd\nvalue"), "odd value"),
        (AssertionError(), "AssertionError"),
        (IndexError("out of range"), "out of range"),
    ],
)
def test_every_failure_of_a_request_is_reported_by_its_cause(httpx_mock: HTTPXMock, raised, words):
    httpx_mock.add_exception(raised)

    error = failure("https://www.deribit.com/api/v2")

    assert type(error) is UnreachableError
    assert str(error) == f"www.deribit.com: {words}"
    assert error.__cause__ is raised
