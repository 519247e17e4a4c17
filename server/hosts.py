"""The names under which the server answers.

The page of another address may point its own name at 127.0.0.1 (DNS rebinding). The browser then takes this server for
that page's own server and gives the page our replies. Only the header `Host` shows the difference. So a server for one
machine answers under its own names, and a server that was given names answers under these. docs/names.md explains this
to operators.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from store.words import shortened

from .refusals import Refusals

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\s:/?#@,\\\[\]]+)(?::\d*)?", re.IGNORECASE)

_NO_NAME = "must be one name or address, with its port or without"
_UNKNOWN = (
    "this server is not known under that name; if it should be, put the name into Streamlit's option "
    "browser.serverAddress (STREAMLIT_BROWSER_SERVER_ADDRESS), or several names into server.allowedHosts"
)


class Refusal(JSONResponse):
    """The answer to a refused request, with the reason."""

    def __init__(self, status: int, hosts: list[str], why: str) -> None:
        self.why = f"Host = {shortened(', '.join(hosts))}: {why}"
        super().__init__({"detail": self.why}, status_code=status)


class OwnNames:
    """The names under which a server answers: localhost, loopback addresses, this machine's name, and given names.

    - A server on a loopback address answers under these names only.
    - A server on another address with `reached_as` answers under these names and each IP address: no page has one.
    - A server on another address without `reached_as` answers under every name: only its host knows its names.

    Args:
        address: what the server listens on; None for all addresses.
        reached_as: the names that the operator gave to the server. `*.example.com` is each name below example.com, and
            `*` is every name.
        also: further names that lead here, with or without scheme and port. They restrict nothing.
    """

    def __init__(self, address: str | None, reached_as: Iterable[str] = (), also: Iterable[str] = ()) -> None:
        given = {_name_in(each) for each in reached_as if each}
        self._is_local = address is not None and _is_loopback(_plain(address))
        self._is_open = not self._is_local and not given
        self._names = {_plain(socket.gethostname()), *given, *map(_name_in, also)}

    def add(self, address: str) -> None:
        """Also answer under the name in this address."""
        self._names.add(_name_in(address))

    def refusal(self, hosts: list[str]) -> Refusal | None:
        """The answer that refuses a request with these `Host` headers; None if the request is allowed."""
        if self._is_open:
            return None
        found = _HOST.fullmatch(hosts[0]) if len(hosts) == 1 else None
        if found is None:
            return Refusal(400, hosts, _NO_NAME)
        return None if self._has(_plain(found[1])) else Refusal(421, hosts, _UNKNOWN)

    def _has(self, name: str) -> bool:
        if name in self._names or _is_loopback(name):
            return True
        if not self._is_local and _address(name):
            return True
        return any(each == "*" or (each.startswith("*.") and name.endswith(each[1:])) for each in self._names)


class Hosts:
    """Refuses requests and sockets under a foreign name: 421, or 400 when the header has no name.

    X-Forwarded-Host is ignored: a page may send that header to a server that the browser takes for the page's own.
    """

    def __init__(self, app: ASGIApp, names: OwnNames) -> None:
        self._app = app
        self._names = names
        self._refusals = Refusals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hosts = [text.decode("latin-1") for name, text in scope.get("headers", ()) if name == b"host"]
        refusal = self._names.refusal(hosts) if scope["type"] in {"http", "websocket"} else None
        if refusal:
            self._refusals.log(f"a request was refused: {refusal.why}")
        await (refusal or self._app)(scope, receive, send)


def _name_in(given: str) -> str:
    """The name in what an operator wrote: a name, an address with its port, or a URL."""
    authority = given.strip().rpartition("://")[2].partition("/")[0]
    found = _HOST.fullmatch(authority)
    return _plain(found[1] if found else authority)


def _plain(name: str) -> str:
    """A name in lower case without the dot of the root, or an IP address in its shortest form without brackets."""
    return str(_address(name) or name.lower().rstrip("."))


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return name == "localhost" if address is None else address.is_loopback
