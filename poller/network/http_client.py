"""Builds every HTTP client, and checks at the start that the environment lets them work."""

from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import h11
import httpx
from socksio import SOCKSError

from settings import PREFIX, VERSION, Settings, SettingsError

from .certificates import check_bundles, trusted
from .proxies import check_proxies, proxy_of

USER_AGENT = f"Tickwell/{VERSION} (records index prices; httpx/{httpx.__version__})"

FAILURES = (
    httpx.HTTPError,
    httpx.InvalidURL,
    httpx.StreamError,
    OSError,  # also ssl.SSLError, which httpcore translates only while it connects
    anyio.BrokenResourceError,
    anyio.ClosedResourceError,
    anyio.EndOfStream,
    h11.ProtocolError,
    SOCKSError,
    AssertionError,  # httpcore and socksio raise it for a proxy that answers out of turn
    LookupError,
    RuntimeError,
    ValueError,
)
"""The exceptions that a request may end with. httpx translates most of them, but not all."""


def http_client(
    url: str, *, limits: httpx.Limits | None = None, timeout: httpx.Timeout | None = None
) -> httpx.AsyncClient:
    """A client for one address, with the proxy and the certificates that the environment names for it.

    It keeps no cookies and follows no redirects.

    Raises:
        SettingsError: an environment variable can't be used; one line that names it.
    """
    context, address = trusted(), proxy_of(url)
    proxy = httpx.Proxy(address) if address else None
    if proxy is not None and proxy.url.scheme == "https":
        proxy.ssl_context = context
    return httpx.AsyncClient(
        verify=context,
        proxy=proxy,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(netscape=False)),
        headers={"user-agent": USER_AGENT, "accept-encoding": "gzip"},
        limits=limits or httpx.Limits(),
        timeout=timeout,
    )


def check_environment(settings: Settings, *, tells: bool) -> None:
    """Check that requests to the exchange, the heartbeat and, with `tells`, the services of alerts can be sent.

    Raises:
        SettingsError: an address or an environment variable can't be used; one line that names it.
    """
    if not settings.demo:
        _check_address("DERIBIT_URL", settings.deribit_url)
        proxy_of(settings.deribit_url)
    if settings.heartbeat_url is not None:
        _check_address("HEARTBEAT_URL", settings.heartbeat_url.get_secret_value())
        proxy_of(settings.heartbeat_url.get_secret_value())
    trusted()
    if tells:
        check_proxies()
        check_bundles()


def _check_address(name: str, url: str) -> None:
    """Check that httpx can use an address: it refuses some that the settings allow, such as one with an emoji."""
    try:
        httpx.URL(url)
    except httpx.InvalidURL as error:
        value = "" if name.lower() in Settings.secret else f" = {url!r}"
        raise SettingsError(f"{PREFIX}{name}{value}: must be {Settings.allowed[name.lower()]}") from error
