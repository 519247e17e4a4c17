"""Connections are kept, outlive a slot that is too short to make one, and break without effect on others."""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from poller.exchange.budget import Budget
from poller.exchange.client import DeribitClient
from poller.exchange.errors import RejectedReplyError, UnreachableError
from poller.exchange.outliving import MOST
from poller.feeds.feed import Outcome
from poller.feeds.index import index_feeds
from poller.feeds.poll import poll
from store.models import Cause, Miss, Tick
from tests.poller.conftest import NOW
from tests.support.connections import REPLY, Streams, listening

T = TypeVar("T")

UNASKED = REPLY.replace(b"1.5", b"7.5")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a self-signed certificate for this machine."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "certificate.pem"
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The certificate, named by the environment."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.delenv("SSL_CERT_DIR")
    return certificate


class Exchange:
    """Answers the requests of each connection one by one; an index in `stuck` gets no answer.

    After the reply for an index in `doubled` comes a second reply without a request.

    With a certificate it speaks TLS; `round_trip_s` is the round trip to it.
    """

    def __init__(self, certificate: Path | None = None, *, round_trip_s: float = 0) -> None:
        self.certificate, self.round_trip_s = certificate, round_trip_s
        self.stuck: set[str] = set()
        self.doubled: set[str] = set()
        self.deaf = False
        self.connections = self.open = self.most_open = 0
        self.targets: list[str] = []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Its base address, during the block."""
        context = None
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.certificate)
        async with listening(self._answer, ssl=context) as port, listening(self._far_away(port)) as far_port:
            yield f"{'https' if context else 'http'}://127.0.0.1:{far_port if self.round_trip_s else port}/api/v2"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        deaf_from_now_on = False
        try:
            while True:
                target = (await reader.readuntil(b"\r\n\r\n")).split()[1].decode()
                self.targets.append(target)
                deaf_from_now_on |= self.deaf
                if deaf_from_now_on or any(name in target for name in self.stuck):
                    await reader.read()
                    return
                writer.write(REPLY + UNASKED if any(name in target for name in self.doubled) else REPLY)
        finally:
            self.open -= 1

    def _far_away(self, port: int) -> Streams:
        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there_reader, there = await asyncio.open_connection("127.0.0.1", port)
            # The handshake of TCP takes a round trip too, before the first byte.
            there_s, back_s = 1.5 * self.round_trip_s, 0.5 * self.round_trip_s
            with contextlib.closing(there):
                await asyncio.gather(late(reader, there, there_s, then_s=back_s), late(there_reader, writer, back_s))

        return relay


async def late(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, first_s: float, *, then_s: float = 0
) -> None:
    """Pass on each part after a delay; the first part after `first_s`."""
    loop, wait_s = asyncio.get_running_loop(), first_s
    while part := await reader.read(65536):
        loop.call_later(wait_s, writer.write, part)
        wait_s = then_s or first_s
    loop.call_later(wait_s, writer.close)


def with_client(exchange: Exchange, question: Callable[[DeribitClient], Awaitable[T]]) -> T:
    async def asking() -> T:
        async with exchange.serving() as url, DeribitClient(url, budget=Budget(1000)) as client:
            return await question(client)

    return asyncio.run(asking())


async def slots(client: DeribitClient, count: int, period_s: float, *names: str) -> list[dict[str, Outcome]]:
    """The outcomes of each index in several slots, one right after the other."""
    outcomes = []
    began = time.monotonic()
    for number in range(count):
        await asyncio.sleep(began + number * period_s - time.monotonic())
        feeds = index_feeds(names, dt.timedelta(seconds=1))
        batches = poll(client, feeds, NOW, seconds_left=0.9 * period_s, retries=0)
        outcomes.append({outcome.feed: outcome async for batch in batches for outcome in batch})
    return outcomes


def kinds(outcomes: list[dict[str, Outcome]], name: str = "btc_usd") -> list[type]:
    return [type(outcome[name]) for outcome in outcomes]


# Slow links


def test_a_link_too_slow_to_connect_within_a_slot_ticks_after_two_slots(trusted: Path):
    """As at 400 ms and a slot of 1 s: a connection and its reply take three round trips, a reply alone takes one."""
    exchange = Exchange(trusted, round_trip_s=0.24)

    outcomes = with_client(exchange, lambda client: slots(client, 4, 0.6, "btc_usd", "eth_usd"))

    assert kinds(outcomes, "btc_usd")[2:] == kinds(outcomes, "eth_usd")[2:] == [Tick, Tick]
    assert exchange.connections <= 4


def test_a_connection_is_kept_for_minutes(monkeypatch: pytest.MonkeyPatch):
    exchange = Exchange()
    now_s = 0.0
    monkeypatch.setattr("httpcore._async.http11.time", SimpleNamespace(monotonic=lambda: now_s))

    async def now_and_later(client: DeribitClient) -> list[int]:
        nonlocal now_s
        connections = []
        for each_s in (0.0, 299.0, 600.0):
            now_s = each_s
            await client.index_price("btc_usd")
            connections.append(exchange.connections)
        return connections

    assert with_client(exchange, now_and_later) == [1, 1, 2]


# What is stuck


def test_a_kept_connection_that_died_costs_one_slot():
    exchange = Exchange()

    async def before_and_after(client: DeribitClient) -> list[dict[str, Outcome]]:
        before = await slots(client, 2, 0.2, "btc_usd")
        exchange.deaf = True
        dead = await slots(client, 1, 0.4, "btc_usd")
        exchange.deaf = False
        return [*before, *dead, *await slots(client, 2, 0.4, "btc_usd")]

    assert kinds(with_client(exchange, before_and_after))[1:] == [Tick, Miss, Tick, Tick]


def test_indexes_that_hang_take_no_place_of_others():
    exchange = Exchange()
    exchange.stuck = {"eth_usd", "sol_usd", "xrp_usd"}

    outcomes = with_client(exchange, lambda client: slots(client, 5, 0.4, *sorted(exchange.stuck), "btc_usd"))

    assert kinds(outcomes) == [Tick] * 5
    assert all(isinstance(outcome["eth_usd"], Miss) for outcome in outcomes)
    assert exchange.most_open <= 4 + MOST
    assert len(exchange.targets) == 5 * 4


def test_a_reply_without_a_request_answers_no_other_question():
    exchange = Exchange()
    exchange.doubled.add("eth_usd")

    async def asking(client: DeribitClient) -> tuple[str, float]:
        with pytest.raises(RejectedReplyError) as rejected:
            await client.index_price("eth_usd")
        return str(rejected.value), (await client.index_price("btc_usd")).price

    words, price = with_client(exchange, asking)

    assert words == "get_index_price eth_usd: HTTP 200 body is followed by more than was asked for"
    assert price == 1.5
    assert exchange.connections == 2


def test_a_client_that_closes_ends_the_requests_that_outlive_their_slots():
    exchange = Exchange()
    exchange.stuck = {"btc_usd"}

    async def asking() -> tuple[int, int]:
        async with exchange.serving() as url:
            async with DeribitClient(url) as client:
                await slots(client, 1, 0.2, "btc_usd")
                meanwhile = exchange.open
            await asyncio.sleep(0)
            return meanwhile, len([task for task in asyncio.all_tasks() if "get_index_price" in task.get_name()])

    assert asyncio.run(asking()) == (1, 0)


def test_a_reply_that_asks_for_a_pause_is_heeded_after_its_slot(trusted: Path, monkeypatch: pytest.MonkeyPatch):
    exchange = Exchange(trusted, round_trip_s=0.1)
    monkeypatch.setattr(f"{__name__}.REPLY", b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n")

    async def asking(client: DeribitClient) -> tuple[Outcome, dt.datetime | None]:
        (outcome,) = await slots(client, 1, 0.3, "btc_usd")
        await asyncio.wait([task for task in asyncio.all_tasks() if task.get_name() == "get_index_price btc_usd"])
        return outcome["btc_usd"], client.paused_until

    outcome, paused_until = with_client(exchange, asking)

    assert isinstance(outcome, Miss)
    assert outcome.detail == "no reply within 0.3 s"
    assert paused_until is not None


# TLS


def test_a_certificate_that_the_environment_names_is_trusted(trusted: Path):
    tick = with_client(Exchange(trusted), lambda client: client.index_price("btc_usd"))

    assert tick.price == 1.5


def test_an_unknown_certificate_is_refused_with_its_cause(certificate: Path):
    with pytest.raises(UnreachableError, match="certificate verify failed: self-signed certificate"):
        with_client(Exchange(certificate), lambda client: client.index_price("btc_usd"))


@pytest.mark.parametrize("system", [True, False])
def test_by_default_the_systems_certificates_are_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch, system):
    monkeypatch.delenv("SSL_CERT_DIR")
    paths = ssl.get_default_verify_paths()._replace(cafile=str(certificate))
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(
        ssl.SSLContext,
        "set_default_verify_paths",
        lambda context: context.load_verify_locations(certificate) if system else None,
    )

    def asked() -> Tick:
        return with_client(Exchange(certificate), lambda client: client.index_price("btc_usd"))

    if system:
        assert asked().price == 1.5
    else:
        with pytest.raises(UnreachableError):
            asked()


@pytest.fixture
def broken(trusted: Path) -> Callable[[bytes], Streams]:
    """A server that completes the handshake and reads the request, then sends raw bytes in place of a record."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(trusted)

    def sending(raw: bytes) -> Streams:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing, server_side=True)

            async def done(step: Callable[[], T]) -> T:
                while True:
                    try:
                        return step()
                    except ssl.SSLWantReadError:
                        writer.write(outgoing.read())
                        incoming.write(await reader.read(65536))

            await done(tls.do_handshake)
            request = await done(lambda: tls.read(65536))
            if b"btc_usd" in request:
                tls.write(REPLY)
            writer.write(outgoing.read() + (b"" if b"btc_usd" in request else raw))

        return answer

    return sending


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"\x17\x03\x03\x00\x40" + bytes(64), "decryption failed or bad record mac"),
        (b"\x17\x03\x03\x00\x40" + bytes(10), "Server disconnected without sending a response."),
        (b"", "Server disconnected without sending a response."),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "wrong version number"),
    ],
    ids=["a flipped bit", "half a record", "nothing", "no TLS"],
)
def test_broken_tls_is_a_miss_of_that_index_only(broken, raw, words):
    async def asking() -> dict[str, Outcome]:
        async with listening(broken(raw)) as port, DeribitClient(f"https://127.0.0.1:{port}/api/v2") as client:
            (outcome,) = await slots(client, 1, 0.5, "btc_usd", "eth_usd")
            return outcome

    outcome = asyncio.run(asking())

    assert isinstance(outcome["btc_usd"], Tick)
    missed = outcome["eth_usd"]
    assert isinstance(missed, Miss)
    assert missed.cause is Cause.UNREACHABLE
    assert words in missed.detail
