"""A headless recorder serves its metrics at METRICS_PORT."""

import logging
import signal
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from poller.recorder import metrics_server as metrics_module
from poller.recorder.metrics_server import MetricsServer
from poller.simulator.server import Simulator
from settings import Settings, SettingsError
from store.file.database import Database
from store.file.recorder import RecorderLock, read_notice
from tests.conftest import Program, wait_until
from tests.support.dashboard import free_port
from tests.support.notices import RECORDING


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def server(database: Database, settings: Settings) -> Iterator[MetricsServer]:
    with MetricsServer(settings, database, ("127.0.0.1", 0)) as server:
        yield server


def url_of(server: MetricsServer, path: str = "/metrics") -> str:
    return f"http://127.0.0.1:{port_of(server)}{path}"


def port_of(server: MetricsServer) -> int:
    port: int = server.server_address[1]
    return port


def scraped(port: int) -> str:
    """The metrics of a recorder at a port; empty while it does not answer."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return ""


def test_metrics_are_served_as_the_api_serves_them(server: MetricsServer):
    reply = httpx.get(url_of(server))

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "tickwell_database_up 1.0" in reply.text.splitlines()


@pytest.mark.parametrize("path", ["/metrics?from=prometheus", "/metrics/", "/metrics/?from=prometheus"])
def test_a_query_and_a_slash_at_the_end_do_not_matter(server: MetricsServer, path):
    assert httpx.get(url_of(server, path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/metrics//", "/api/metrics", "/favicon.ico", "/..%2fmetrics"])
def test_nothing_else_is_served(server: MetricsServer, path):
    reply = httpx.get(url_of(server, path))

    assert reply.status_code == 404
    assert "/metrics" in reply.text


def test_nothing_can_be_sent(server: MetricsServer):
    assert httpx.post(url_of(server), content=b"x").status_code == 501


def test_replies_name_no_version_of_python(server: MetricsServer):
    assert httpx.get(url_of(server)).headers["server"].strip().startswith("Tickwell/")
    assert "Python" not in httpx.get(url_of(server)).headers["server"]


def test_a_silent_client_delays_nobody_and_is_disconnected(settings: Settings, database: Database):
    with (
        MetricsServer(settings, database, ("127.0.0.1", 0), slow_s=0.2) as server,
        socket.create_connection(("127.0.0.1", port_of(server))) as silent,
    ):
        silent.sendall(b"GET /metrics HT")

        reply = httpx.get(url_of(server))

        assert reply.status_code == 200
        silent.settimeout(5)
        assert silent.recv(1) == b""


def replies() -> int:
    return sum(thread.name == "tickwell-metrics-reply" for thread in threading.enumerate())


def test_silent_clients_take_few_threads_and_a_scrape_is_still_answered(server: MetricsServer):
    with ExitStack() as stack:
        silent = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(server)), timeout=10)) for _ in range(40)
        ]
        for each in silent:
            each.sendall(b"GET /metrics HT")

        ended = [each.recv(1) for each in silent[: -metrics_module.MOST_AT_ONCE]]
        reply = httpx.get(url_of(server))

        assert reply.status_code == 200
        assert set(ended) == {b""}
        assert replies() <= metrics_module.MOST_AT_ONCE


def test_a_client_is_disconnected_while_all_places_are_busy(settings, database, monkeypatch):
    go_on = threading.Event()

    def slow(*_: object) -> bytes:
        assert go_on.wait(20)
        return b""

    monkeypatch.setattr(metrics_module, "as_text", slow)
    with (
        MetricsServer(settings, database, ("127.0.0.1", 0), gives_way_within_s=0.05) as server,
        ThreadPoolExecutor(metrics_module.MOST_AT_ONCE) as pool,
    ):
        busy = [pool.submit(scraped, port_of(server)) for _ in range(metrics_module.MOST_AT_ONCE)]
        wait_until(lambda: replies() == metrics_module.MOST_AT_ONCE)

        with pytest.raises(httpx.TransportError):
            httpx.get(url_of(server))
        assert replies() == metrics_module.MOST_AT_ONCE
        go_on.set()

        assert {each.result() for each in busy} == {""}
        monkeypatch.undo()
        assert httpx.get(url_of(server)).status_code == 200


def test_a_client_that_disconnects_early_costs_one_line_of_log(server: MetricsServer, caplog):
    caplog.set_level(logging.WARNING)
    with socket.create_connection(("127.0.0.1", port_of(server))) as hasty:
        hasty.sendall(b"GET /metrics HT")
        hasty.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset

    wait_until(lambda: caplog.messages)

    (line,) = caplog.messages
    assert line.startswith("a scrape failed: ConnectionResetError: ")
    assert httpx.get(url_of(server)).status_code == 200


def test_the_port_is_free_again_afterwards(database: Database, settings: Settings):
    with MetricsServer(settings, database, ("127.0.0.1", 0)) as server:
        port = port_of(server)
        assert scraped(port)

    with MetricsServer(settings, database, ("127.0.0.1", port)):
        assert scraped(port)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",  # noqa: S104 it is asked for
        pytest.param("::1", marks=pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")),
    ],
)
def test_the_server_listens_on_the_address_of_the_settings(database: Database, settings: Settings, address):
    with MetricsServer(settings, database, (address, 0)) as server:
        host = "[::1]" if server.address_family == socket.AF_INET6 else "127.0.0.1"

        assert httpx.get(f"http://{host}:{port_of(server)}/metrics").status_code == 200


@pytest.mark.parametrize("address", [("no.such.host.invalid", 9464), ("192.0.2.1", 9464)])
def test_an_address_of_another_machine_is_refused_in_one_line(database: Database, settings: Settings, address):
    with pytest.raises(SettingsError) as refused:
        MetricsServer(settings, database, address)

    host, _ = address
    assert str(refused.value).startswith(f"TICKWELL_METRICS_PORT: can't listen on {host}, port 9464: ")
    assert "\n" not in str(refused.value)


# The command


def value_of(metric: str, text: str) -> float:
    """The value of a metric in the exposition format; 0 while the metric is absent."""
    return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(metric)), 0.0)


def test_a_headless_recorder_serves_its_metrics_and_stops_in_an_orderly_way(database_file: Path, simulator: Simulator):
    port = free_port()
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1, "indexes": "btc_usd"}
    with Program("poller", **settings, metrics_port=port) as program:
        ok = 'tickwell_polls_total{index_name="btc_usd",outcome="ok"}'
        wait_until(lambda: value_of(ok, scraped(port)))
        wait_until(lambda: value_of("tickwell_write_seconds_count", scraped(port)))  # a poll counts before its write
        text = scraped(port)
        code, _, said = program.stop(signal.SIGTERM)

    lines = text.splitlines()
    assert "tickwell_recorder_up 1.0" in lines
    assert "tickwell_retries_total 0.0" in lines
    assert value_of("tickwell_write_seconds_count", text) > 0
    assert (code, scraped(port)) == (0, "")
    assert "scrape" not in said


def test_a_port_that_is_taken_stops_the_start_with_one_line(database_file: Path, simulator: Simulator):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = {"database": database_file, "deribit_url": simulator.url, "log_level": "ERROR"}
        with Program("poller", **settings, metrics_port=port) as program:
            code, out, said = program.finish()

    assert (code, out) == (1, "")
    assert said == f"Error: TICKWELL_METRICS_PORT: can't listen on 127.0.0.1, port {port}: Address already in use\n"
    notice = read_notice(database_file)
    assert notice is not None
    assert not notice.alive


def test_a_second_recorder_names_the_first_recorder_and_not_the_port(database: Database, simulator: Simulator):
    lock = RecorderLock(database.path)
    lock.acquire(RECORDING)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = {"database": database.path, "deribit_url": simulator.url}
        with Program("poller", **settings, metrics_port=taken.getsockname()[1]) as program:
            code, _, said = program.finish()
    lock.release()

    assert code == 1
    assert f"is already being recorded by PID {RECORDING.pid}" in said
    assert "METRICS_PORT" not in said
