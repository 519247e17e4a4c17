"""The proxy for an address, by variables that programs share, such as HTTPS_PROXY and NO_PROXY."""

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit
from urllib.request import getproxies

import httpx

from poller.words import one_line
from settings import SettingsError, shared_variable

_KINDS = ("http", "https", "socks5", "socks5h")
_ALLOWED = "the address of a proxy, such as http://proxy.example:8080 or socks5://127.0.0.1:1080"


def proxy_of(url: str) -> str | None:
    """The address of the proxy for a URL; None without one. This machine itself is never asked through a proxy.

    Raises:
        SettingsError: an environment variable can't be used; one line that names it.
    """
    parts = _split(url)
    if parts is None or not parts.hostname or is_loopback(parts.hostname) or _is_exempt(parts.hostname):
        return None
    return _given(parts.scheme) or _given("all")


def check_proxies() -> None:
    """Check that each proxy that is set can be used, whatever address it is for.

    Raises:
        SettingsError: one can't be used; one line that names the variable.
    """
    for scheme in ("http", "https", "all"):
        _given(scheme)


def proxy_in_words(url: str) -> str:
    """The proxy for a URL, such as " (through the proxy http://p:1)", without its password; "" without one."""
    address = proxy_of(url)
    return f" (through the proxy {_shown(address)})" if address else ""


def is_loopback(host: str) -> bool:
    """Is it this machine itself?"""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    address = _address(host)
    return address is not None and (address.is_loopback or address.is_unspecified)


def _given(scheme: str) -> str | None:
    """The proxy that is set for a scheme. A proxy written without a scheme gets http://."""
    written = getproxies().get(scheme)
    if not written:
        return None
    address = written if "://" in written else f"http://{written}"
    if not _is_usable(address):
        variable, _ = shared_variable(f"{scheme.upper()}_PROXY")
        raise SettingsError(f"{variable} = {_shown(written)!r}: must be {_ALLOWED}")
    return address


def _is_usable(address: str) -> bool:
    parts = _split(address)
    try:
        httpx.URL(address)
        return parts is not None and parts.scheme in _KINDS and bool(parts.hostname) and parts.port != 0
    except (ValueError, httpx.InvalidURL):  # the port is not a number of a port
        return False


def _is_exempt(host: str) -> bool:
    """Does NO_PROXY name the host, a domain around it, or a network around it? Invalid entries are ignored."""
    return any(_names(entry.strip().lower(), host) for entry in getproxies().get("no", "").split(","))


def _names(entry: str, host: str) -> bool:
    entry = entry.rpartition("://")[2].strip("[]")
    address = _address(host)
    if entry == "*":
        return True
    if address is None:
        name = entry.removeprefix("*").removeprefix(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # brackets without an address
        return None


def _shown(address: str) -> str:
    """The address without its user and password, and without any part that may be a password."""
    without_user = re.sub(r"^(\w+://)?.*@", r"\1…@", address, flags=re.DOTALL)
    return one_line(re.sub(r"(?<=[\w.\]]):(?!\d*(/|$))[^/:\]]+(?=/|$)", ":…", without_user))
