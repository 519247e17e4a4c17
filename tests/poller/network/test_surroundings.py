"""Proxies and certificates from the environment are used, or one line names the bad variable."""

import asyncio
import gc
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from pydantic import SecretStr

from poller.alerts.watchdog import start_watchdog
from poller.exchange.client import DeribitClient
from poller.exchange.errors import UnreachableError
from poller.network.http_client import check_environment, http_client
from poller.network.proxies import is_loopback, proxy_of
from poller.recorder.embedded import start_embedded
from poller.recorder.heartbeat import Heartbeat
from poller.simulator.server import Simulator
from settings import Settings, SettingsError
from store.models import Tick
from tests.poller.conftest import Answer, ScriptedServer, http, price_reply
from tests.support.connections import REPLY, listening

Serve = Callable[[Answer], ScriptedServer]
Make = Callable[..., Settings]

URL = "http://exchange.example/api/v2"
A_PROXY = "must be the address of a proxy, such as http://proxy.example:8080 or socks5://127.0.0.1:1080"


def price(url: str) -> Tick:
    async def asking() -> Tick:
        async with DeribitClient(url) as client:
            return await client.index_price("btc_usd")

    return asyncio.run(asking())


# Which proxy


@pytest.mark.parametrize(
    ("variables", "url", "proxy"),
    [
        ({}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "http://p:1"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1"}, "https://a.example", "http://p:1"),
        ({"https_proxy": "", "HTTPS_PROXY": "http://q:1"}, "https://a.example", None),
        ({"HTTPS_PROXY": "http://p:1"}, "http://a.example", None),
        ({"HTTP_PROXY": "p:1"}, "http://a.example", "http://p:1"),
        ({"ALL_PROXY": "socks5://p"}, "https://a.example", "socks5://p"),
        ({"ALL_PROXY": "socks5h://p:1", "HTTPS_PROXY": "https://q"}, "https://a.example", "https://q"),
        ({"ALL_PROXY": "http://u:p@[::1]:1"}, "https://a.example", "http://u:p@[::1]:1"),
        ({"ALL_PROXY": "http://p:1"}, "https://[a", None),
        ({"ALL_PROXY": "http://p:1"}, "nonsense", None),
    ],
)
def test_the_proxy_for_an_address_is_the_one_for_its_scheme(monkeypatch: pytest.MonkeyPatch, variables, url, proxy):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert proxy_of(url) == proxy


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("simulator.localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", True),  # noqa: S104 it is nowhere listened on
        ("10.0.0.1", False),
        ("fe80::1", False),
        ("www.deribit.com", False),
        ("localhost.example", False),
    ],
)
def test_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch, host, loopback):
    monkeypatch.setenv("ALL_PROXY", "http://p:1")

    assert is_loopback(host) is loopback
    assert proxy_of(f"https://[{host}]/" if ":" in host else f"https://{host}:8601/") == (
        None if loopback else "http://p:1"
    )


@pytest.mark.parametrize(
    ("no_proxy", "host", "exempt"),
    [
        ("*", "a.example", True),
        ("b.example, *", "a.example", True),
        ("a.example", "a.example", True),
        ("example", "a.example", True),
        (".example", "a.example", True),
        ("*.example", "a.example", True),
        ("https://a.example", "a.example", True),
        ("A.EXAMPLE", "a.example", True),
        ("ample", "a.example", False),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("fe80::/10", "[fe80::1]", True),
        ("[fe80::1]", "[fe80::1]", True),
        ("::1/128,fe80::/10,[fe80,10.0.0.0/99,,", "a.example", False),
        ("::1/128,[fe80,10.0.0.0/99", "[fe80::1]", False),
        ("", "a.example", False),
    ],
)
def test_hosts_in_no_proxy_are_asked_directly(monkeypatch: pytest.MonkeyPatch, no_proxy, host, exempt):
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert proxy_of(f"https://{host}/api") == (None if exempt else "http://p:1")


# Through one


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_prices_come_through_a_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch, variable):
    proxy = serve(lambda _: price_reply(2.5))
    monkeypatch.setenv(variable, proxy.url.removesuffix("/api/v2"))

    assert price(URL).price == 2.5
    assert proxy.targets == [f"{URL}/public/get_index_price?index_name=btc_usd"]


async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A SOCKS 5 proxy and the exchange behind it in one."""
    await reader.readexactly(3)
    writer.write(b"\x05\x00")
    head = await reader.readexactly(5)
    await reader.readexactly(head[4] + 2)
    writer.write(b"\x05\x00\x00\x01" + bytes(6))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(REPLY)


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    writer.write(b"\x04garbage")


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)


async def refusal(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(3)
    writer.write(b"\x05\x00")
    await reader.readexactly(5)
    writer.write(b"\x05\x04\x00\x01" + bytes(6))


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_prices_come_through_a_socks_proxy(monkeypatch: pytest.MonkeyPatch, scheme):
    async def asking() -> Tick:
        async with listening(socks) as port:
            monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:{port}")
            async with DeribitClient(URL) as client:
                return await client.index_price("btc_usd")

    assert asyncio.run(asking()).price == 1.5


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # httpcore leaves these sockets to the collector
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (garbage, "Malformed reply"),
        (silence, "Malformed reply"),
        (refusal, "the proxy refuses: Proxy Server could not connect: Host unreachable."),
    ],
)
def test_a_socks_proxy_that_fails_makes_the_exchange_unreachable(monkeypatch: pytest.MonkeyPatch, answer, words):
    async def asking() -> None:
        async with listening(answer) as port:
            monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{port}")
            async with DeribitClient(URL) as client:
                await client.index_price("btc_usd")

    with pytest.raises(UnreachableError) as raised:
        asyncio.run(asking())

    said = str(raised.value)
    del raised
    gc.collect()
    assert said.startswith(f"exchange.example: {words} (through the proxy socks5://127.0.0.1:")


def test_a_proxy_that_refuses_is_reported_as_such(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    proxy = serve(lambda _: http(b"", "407 Proxy Authentication Required"))
    monkeypatch.setenv("HTTPS_PROXY", proxy.url.removesuffix("/api/v2"))

    with pytest.raises(UnreachableError, match=r"^exchange\.example: the proxy refuses: 407 Proxy"):
        price("https://exchange.example/api/v2")


def test_a_missing_proxy_is_reported_as_such_without_its_password(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://user:Passw0rd@127.0.0.1:9")

    with pytest.raises(UnreachableError) as raised:
        price("https://exchange.example/api/v2")

    assert str(raised.value) == "exchange.example: connection refused (through the proxy http://…@127.0.0.1:9)"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"])
@pytest.mark.parametrize("value", ["http://127.0.0.1:9", "socks5://127.0.0.1:9", "nonsense://["])
def test_the_simulator_answers_whatever_proxy_is_set(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, variable, value
):
    monkeypatch.setenv(variable, value)

    assert price(simulator.url).source == "simulator"


def test_the_heartbeat_goes_through_the_proxy(serve: Serve, monkeypatch: pytest.MonkeyPatch):
    proxy = serve(lambda _: http(b""))
    monkeypatch.setenv("HTTP_PROXY", proxy.url.removesuffix("/api/v2"))

    async def beat() -> None:
        heartbeat = Heartbeat(SecretStr("http://service.example/T0pS3cret"))
        await heartbeat.begin()
        await heartbeat.aclose()

    asyncio.run(beat())

    assert proxy.targets == ["http://service.example/T0pS3cret"]


@pytest.mark.parametrize("proxy", [None, "http://p:1", "https://p:1", "socks5://p:1"])
def test_every_client_is_built_alike(monkeypatch: pytest.MonkeyPatch, proxy):
    if proxy:
        monkeypatch.setenv("ALL_PROXY", proxy)

    client = http_client("https://exchange.example")

    assert client.trust_env is False
    assert client.follow_redirects is False
    asyncio.run(client.aclose())


# One line


BAD_PROXIES = [
    ("HTTPS_PROXY", "socks4://x:1", "socks4://x:1"),
    ("https_proxy", "ftp://x", "ftp://x"),
    ("ALL_PROXY", "http://p:99999", "http://p:99999"),
    ("all_proxy", "http://p:0", "http://p:0"),
    ("HTTPS_PROXY", "http://p:port", "http://p:…"),
    ("HTTPS_PROXY", "http://", "http://"),
    ("HTTPS_PROXY", "http://[", "http://["),
    ("HTTPS_PROXY", "://", "://"),
    ("HTTPS_PROXY", "http://user:Passw0rd@", "http://…@"),
    ("HTTPS_PROXY", "http://user:Pass/w0rd@p:99999", "http://…@p:99999"),
    ("HTTPS_PROXY", "http://user:Passw0rd", "http://user:…"),
    ("HTTPS_PROXY", "user:Passw0rd@p:x", "…@p:…"),
    ("HTTPS_PROXY", "http://p\nq", "http://p q"),
]


@pytest.mark.parametrize(("variable", "value", "shown"), BAD_PROXIES)
def test_a_bad_proxy_is_refused_in_one_line_without_its_password(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, variable, value, shown
):
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as raised:
        check_environment(make_settings(deribit_url="https://www.deribit.com/api/v2"), tells=False)

    assert str(raised.value) == f"{variable} = {shown!r}: {A_PROXY}"


def no_pem(folder: Path) -> Path:
    path = folder / "no.pem"
    path.write_text("words")
    return path


BAD_CERTIFICATES = [
    ("SSL_CERT_FILE", lambda folder: folder / "gone.pem", "a file of certificates in PEM"),
    ("SSL_CERT_FILE", lambda folder: folder, "a file of certificates in PEM"),
    ("SSL_CERT_FILE", no_pem, "a file of certificates in PEM"),
    ("SSL_CERT_DIR", lambda folder: folder / "gone", "a folder of certificates"),
    ("SSL_CERT_DIR", no_pem, "a folder of certificates"),
    (
        "REQUESTS_CA_BUNDLE",
        lambda folder: folder / "gone.pem",
        "a file of certificates in PEM, or a folder of certificates",
    ),
    ("REQUESTS_CA_BUNDLE", no_pem, "a file of certificates in PEM, or a folder of certificates"),
    ("CURL_CA_BUNDLE", no_pem, "a file of certificates in PEM, or a folder of certificates"),
]


@pytest.mark.parametrize(("variable", "place", "allowed"), BAD_CERTIFICATES)
def test_bad_certificates_are_refused_in_one_line(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable, place, allowed
):
    path = place(tmp_path)
    monkeypatch.setenv(variable, str(path))

    with pytest.raises(SettingsError) as raised:
        check_environment(make_settings(), tells=True)

    assert str(raised.value) == f"{variable} = {str(path)!r}: must be {allowed}"


def test_variables_that_only_messages_need_are_not_checked_without_addresses(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://[")

    check_environment(make_settings(), tells=False)

    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY = 'nonsense://\['"):
        check_environment(make_settings(), tells=True)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR"])
def test_a_folder_of_certificates_is_accepted(make_settings: Make, monkeypatch: pytest.MonkeyPatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path))

    check_environment(make_settings(), tells=True)


def test_unusable_addresses_are_refused_in_one_line(make_settings: Make):
    odd = "https://exchange.example/" + "x" * 70_000

    with pytest.raises(SettingsError, match=r"^TICKWELL_DERIBIT_URL = 'https://exchange.example/x"):
        check_environment(make_settings(deribit_url=odd), tells=False)
    with pytest.raises(SettingsError) as raised:
        check_environment(make_settings(heartbeat_url=odd), tells=False)

    assert str(raised.value) == "TICKWELL_HEARTBEAT_URL: must be an address that starts with http:// or https://"


def test_the_demo_needs_no_proxy(make_settings: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "nonsense://[")

    check_environment(make_settings(demo=True, deribit_url="https://www.deribit.com/api/v2"), tells=False)


# Every start


@pytest.mark.parametrize("arguments", [("once",), ("run",), ("backfill",), ("alerts", "test")], ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value"), [("HTTPS_PROXY", "socks4://user:Passw0rd@x"), ("SSL_CERT_FILE", "/nonexistent.pem")]
)
def test_every_command_that_sends_requests_refuses_in_one_line(
    command: Callable[..., Result], database, monkeypatch: pytest.MonkeyPatch, arguments, variable, value
):
    monkeypatch.setenv(variable, value)

    result = command(*arguments, deribit_url="https://www.deribit.com/api/v2", notify_urls="ntfy://my-topic")

    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert line.startswith(f"Error: {variable} = '")
    assert "Passw0rd" not in result.output


@pytest.mark.parametrize(("start", "poller"), [(start_embedded, "embedded"), (start_watchdog, "external")])
def test_a_dashboard_does_not_start_with_a_bad_variable(
    make_settings: Make, monkeypatch: pytest.MonkeyPatch, start, poller
):
    monkeypatch.setenv("SSL_CERT_FILE", "/nonexistent.pem")

    with pytest.raises(SettingsError, match=r"^SSL_CERT_FILE = '/nonexistent\.pem'"):
        start(make_settings(poller=poller, notify_urls="ntfy://my-topic"))


def test_a_recorder_checks_its_heartbeat(make_settings: Make, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HTTPS_PROXY", "socks4://x")

    with pytest.raises(SettingsError, match=r"^HTTPS_PROXY = 'socks4://x'"):
        start_embedded(make_settings(heartbeat_url="https://service.example/T0pS3cret"))
