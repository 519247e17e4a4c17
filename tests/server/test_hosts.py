"""A server answers under its own names, so that no page reads it by a name that the page's owner pointed here."""

import asyncio
import http.client
import json
import socket
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from server.hosts import Hosts, OwnNames
from tests.api.servers import serving

MACHINE = socket.gethostname()

LOCAL = OwnNames("localhost", ["prices.example.com:8443"], ["https://allowed.example:8501/path", "[2001:DB8::1]:80"])
TOLD = OwnNames("0.0.0.0", ["Prices.Example.com.", "*.example.org", ""])  # noqa: S104 nothing listens there
SERVERS = {
    "local": LOCAL,
    "told": TOLD,
    "open": OwnNames(None, [""], ["https://allowed.example"]),
    "any": OwnNames("127.0.0.1", ["*"]),
}


def page(request: Request) -> Response:
    return PlainTextResponse("a page")


async def stream(socket: WebSocket) -> None:
    await socket.accept()
    await socket.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a server with a page and a socket, for each set of names."""
    routes = [Route("/page", page), WebSocketRoute("/stream", stream)]
    mounts = [Mount(f"/{kind}", Hosts(Starlette(routes=routes), names)) for kind, names in SERVERS.items()]
    with serving(Starlette(routes=mounts)) as address:
        yield int(address.partition(":")[2])


def answer(port: int, path: str, *headers: str, version: str = "1.1") -> tuple[int, str]:
    """Status and body of the reply to a request that is sent as it stands here."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([f"GET {path} HTTP/{version}", *headers, "", ""]).encode("latin-1"))
        reply = http.client.HTTPResponse(connection)
        reply.begin()
        return reply.status, reply.read().decode()


OWN = ["localhost", "LocalHost:8501", "localhost.", "127.0.0.1", "127.0.0.1:80", "127.8.9.1", "[::1]", "[0:0::1]:8501"]
FOREIGN = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8501", "evil-localhost", "0x7f.1", "127.1"]
ADDRESSES = ["192.0.2.7", "192.0.2.7:8501", "[2001:db8::7]", "0.0.0.0"]  # noqa: S104 it is a header


@pytest.mark.parametrize("host", [*OWN, MACHINE, MACHINE.upper()])
@pytest.mark.parametrize("kind", SERVERS)
def test_each_server_answers_under_the_names_of_its_machine(port, kind, host):
    assert answer(port, f"/{kind}/page", f"Host: {host}") == (200, "a page")


@pytest.mark.parametrize("host", ["prices.example.com", "allowed.example:8501", "[2001:db8:0::1]"])
def test_a_server_for_this_machine_answers_under_its_given_names(port, host):
    assert answer(port, "/local/page", f"Host: {host}") == (200, "a page")


@pytest.mark.parametrize("host", ["prices.example.com.", "a.example.org:8501", "a.b.EXAMPLE.org", *ADDRESSES])
def test_a_server_for_others_answers_under_its_given_names_and_each_address(port, host):
    assert answer(port, "/told/page", f"Host: {host}") == (200, "a page")


@pytest.mark.parametrize("host", [*FOREIGN, *ADDRESSES, "a name", "", "a, b"])
def test_a_server_for_others_without_given_names_answers_under_every_name(port, host):
    assert answer(port, "/open/page", f"Host: {host}") == (200, "a page")


@pytest.mark.parametrize("host", [*FOREIGN, *ADDRESSES])
def test_any_name_can_be_allowed(port, host):
    assert answer(port, "/any/page", f"Host: {host}") == (200, "a page")


@pytest.mark.parametrize(
    ("kind", "host"),
    [
        *(("local", host) for host in [*FOREIGN, *ADDRESSES, "example.com", "a.prices.example.com"]),
        *(("told", host) for host in [*FOREIGN, "example.org", "evilexample.org", "prices.example.com.evil.example"]),
    ],
)
def test_a_foreign_name_is_refused_in_one_line_that_says_what_to_set(port, kind, host):
    status, body = answer(port, f"/{kind}/page", f"Host: {host}")

    assert status == 421
    assert json.loads(body) == {
        "detail": f"Host = '{host}': this server is not known under that name; if it should be, put the name into "
        "Streamlit's option browser.serverAddress (STREAMLIT_BROWSER_SERVER_ADDRESS), or several names into "
        "server.allowedHosts"
    }


def test_the_log_says_what_to_set_too(port, caplog):
    for _ in range(2):
        answer(port, "/local/page", "Host: tunnel.example")

    (line,) = [record.getMessage() for record in caplog.records if record.name == "tickwell.server"]
    assert line.startswith("a request was refused: Host = 'tunnel.example': this server is not known under that name; ")


@pytest.mark.parametrize(
    "host",
    [
        *("", "localhost evil.example", "localhost,evil.example", "user@localhost", "localhost/path", "localhost:port"),
        *("localhost:80:80", "[::1", "::1", "[localhost]", "local\\host", "http://localhost", "localhost?", "#"),
    ],
)
@pytest.mark.parametrize("kind", ["local", "told", "any"])
def test_a_header_without_a_valid_name_is_refused(port, kind, host):
    status, body = answer(port, f"/{kind}/page", f"Host: {host}")

    assert status == 400
    assert json.loads(body) == {"detail": f"Host = {host!r}: must be one name or address, with its port or without"}


@pytest.mark.parametrize(
    "headers", [(), ("Host: localhost", "Host: evil.example"), ("Host: evil.example", "Host: localhost")]
)
def test_no_name_and_two_names_are_refused(port, headers):
    assert answer(port, "/local/page", *headers, version="1.0")[0] == 400


@pytest.mark.parametrize(
    "header", ["X-Forwarded-Host: localhost", "Forwarded: host=localhost", "Origin: http://localhost"]
)
def test_no_other_header_replaces_the_host_header(port, header):
    assert answer(port, "/local/page", "Host: evil.example", header)[0] == 421
    assert answer(port, "/local/page", "Host: localhost", header.replace("localhost", "evil.example"))[0] == 200


def test_the_refusal_shows_only_the_beginning_of_a_long_name(port):
    _, body = answer(port, "/local/page", f"Host: {'x' * 5000}")

    assert len(body) < 400


@pytest.mark.parametrize(("host", "status"), [("localhost:8501", 101), ("evil.example:8501", 421)])
def test_a_socket_is_opened_under_the_same_names(port, host, status):
    upgrade = "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="

    answered, _ = answer(port, "/local/stream", f"Host: {host}", f"Origin: http://{host}", key, *upgrade)

    assert answered == status


def test_a_name_can_be_added_later():
    names = OwnNames("::1")
    assert names.refusal(["prices.example.net"]) is not None

    names.add("https://prices.example.net/oauth2callback")

    assert names.refusal(["prices.example.net"]) is None
    assert names.refusal(["evil.example"]) is not None


@pytest.mark.parametrize(
    ("address", "checked"),
    [
        *(("localhost", True), ("LOCALHOST", True), ("127.0.0.1", True), ("127.0.0.2", True), ("::1", True)),
        *((None, False), ("0.0.0.0", False), ("::", False), ("192.0.2.7", False), ("unix:///run/tickwell", False)),  # noqa: S104
    ],
)
def test_a_server_without_given_names_checks_names_only_on_loopback_addresses(address, checked):
    assert (OwnNames(address).refusal(["evil.example"]) is not None) == checked


def test_the_start_of_the_server_is_left_alone():
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        raise NotImplementedError

    async def send(message: Message) -> None:
        raise NotImplementedError

    asyncio.run(Hosts(app, LOCAL)({"type": "lifespan"}, receive, send))

    assert seen == ["lifespan"]
