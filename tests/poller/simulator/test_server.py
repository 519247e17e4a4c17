import json
import math
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from poller.simulator.exchange import Bucket
from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import price
from settings import VERSION
from store.models import Exchange as Origin

RECORDED = Path(__file__).parents[2] / "fixtures/deribit"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 9, 20, 21, 17, 16, 123456, tzinfo=UTC)
PRICE = ("get_index_price", {"index_name": "btc_usd"})
CHART = ("get_index_chart_data", {"index_name": "btc_usd", "range": "2d"})
STATUS_REQUEST = b"GET /api/v2/public/status HTTP/1.1\r\nHost: here\r\n\r\n"
HOUR = ("get_index_chart_data", {"index_name": "btc_usd", "range": "1h"})


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


class Caller:
    """One client of one simulator."""

    def __init__(self, simulator: Simulator, client: httpx.Client) -> None:
        self.simulator, self.client = simulator, client

    def get(self, method: str, params: dict[str, str] | None = None) -> httpx.Response:
        return self.client.get(f"{self.simulator.url}/public/{method}", params=params)

    def result(self, method: str, params: dict[str, str] | None = None) -> Any:
        return self.get(method, params).json()["result"]

    def add(self, kind: str, **fields: Any) -> None:
        self.simulator.faults.add(Fault(kind, **fields))


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def simulator(clock):
    with Simulator(clock=clock) as running:
        yield running


@pytest.fixture
def caller(simulator):
    with httpx.Client(timeout=10) as client:
        yield Caller(simulator, client)


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for a condition, looking often."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.005)


def reachable(simulator: Simulator) -> bool:
    try:
        socket.create_connection(("127.0.0.1", simulator.port), 1).close()
    except ConnectionRefusedError:
        return False
    return True


def connect(simulator: Simulator) -> socket.socket:
    return socket.create_connection(("127.0.0.1", simulator.port), 5)


def exchange_over(connection: socket.socket) -> str:
    """One request on a raw connection; the status line of the reply, empty when there is none."""
    connection.sendall(STATUS_REQUEST)
    return connection.recv(65536).partition(b"\r\n")[0].decode()


def types(envelope: dict[str, Any]) -> dict[str, type]:
    return {name: type(value) for name, value in envelope.items()}


def microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def test_a_good_reply_has_the_recorded_envelope(caller):
    reply = caller.get(*PRICE)

    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
    assert types(reply.json()) == types(json.loads((RECORDED / "success.json").read_text()))


def test_a_refusal_has_the_recorded_envelope_and_http_400(caller):
    reply = caller.get("get_index_price")

    recorded = json.loads((RECORDED / "error.json").read_text())
    assert reply.status_code == 400
    assert types(reply.json()) == types(recorded)
    assert types(reply.json()["error"]) == types(recorded["error"])
    assert reply.json()["error"]["data"] == {"reason": "value is required", "param": "index_name"}


def test_an_unknown_method_is_refused_without_data(caller):
    assert caller.get("get_horoscope").json()["error"] == {"code": -32601, "message": "Method not found"}


def test_every_reply_names_the_simulator(caller):
    replies = [
        caller.get("status"),
        caller.get("get_horoscope"),
        caller.client.get(caller.simulator.faults_url),
        caller.client.get(f"http://127.0.0.1:{caller.simulator.port}/"),
        caller.client.put(caller.simulator.url),
    ]

    assert [reply.status_code for reply in replies] == [200, 400, 200, 404, 501]
    assert {reply.headers["server"] for reply in replies} == {f"tickwell-simulator/{VERSION}"}


def test_the_price_is_the_models_at_us_out():
    instants = iter([NOW, NOW + timedelta(seconds=2.5)])
    with Simulator(seed=5, clock=lambda: next(instants)) as simulator, httpx.Client() as client:
        reply = Caller(simulator, client).get(*PRICE).json()

    assert (reply["usIn"], reply["usDiff"]) == (microseconds(NOW), 2_500_000)
    assert reply["result"]["index_price"] == price("btc_usd", EPOCH + timedelta(microseconds=reply["usOut"]), 5)


def test_the_present_is_the_clock_of_the_machine_unless_given():
    before = datetime.now(UTC)
    with Simulator() as simulator, httpx.Client() as client:
        told = Caller(simulator, client).get("status").json()["usOut"]

    assert microseconds(before) <= told <= microseconds(datetime.now(UTC))


def test_one_connection_serves_many_calls(simulator):
    with connect(simulator) as connection:
        lines = [exchange_over(connection) for _ in range(3)]

    assert lines == ["HTTP/1.1 200 OK"] * 3


def test_a_connection_is_closed_when_the_caller_asks_for_it(simulator):
    with connect(simulator) as connection:
        connection.sendall(b"GET /api/v2/public/status HTTP/1.0\r\n\r\n")
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert b"Connection: close" in received


@pytest.mark.parametrize("path", ["", "/public/get_index_price"])
def test_json_rpc_is_answered_with_its_id(caller, path):
    request = {"jsonrpc": "2.0", "id": 42, "method": "public/get_index_price", "params": PRICE[1]}

    reply = caller.client.post(caller.simulator.url + path, json=request).json()

    assert reply["id"] == 42
    assert reply["result"] == caller.result(*PRICE)


def test_json_rpc_parameters_need_not_be_texts(caller):
    request = {"method": "public/get_index_price_names", "params": {"extended": True}}

    reply = caller.client.post(caller.simulator.url, json=request).json()

    assert "id" not in reply
    assert reply["result"][0]["name"] == "ada_usdc"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"[" * 100_000, b'{"method": 1}', b'{"method": "public/test", "params": []}']
)
def test_invalid_json_rpc_is_refused(caller, body):
    reply = caller.client.post(caller.simulator.url, content=body)

    assert reply.status_code == 400
    assert reply.json()["error"]["code"] == -32700


def test_a_body_of_unknown_length_counts_as_empty(simulator):
    with connect(simulator) as connection:
        connection.sendall(b"POST /api/v2 HTTP/1.1\r\nHost: here\r\nContent-Length: much\r\n\r\n")

        assert connection.recv(65536).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_an_unknown_path_is_not_found(caller, verb):
    reply = caller.client.request(verb, f"http://127.0.0.1:{caller.simulator.port}/nowhere")

    assert (reply.status_code, reply.headers["content-type"]) == (404, "text/html")


def test_the_simulator_logs_nothing(caller, capfd):
    caller.get("status")
    caller.client.put(caller.simulator.url)
    caller.simulator.stop()

    assert capfd.readouterr() == ("", "")


def test_a_burst_beyond_the_credits_is_refused(caller):
    replies = [caller.get("status")]
    while replies[-1].status_code == 200 and len(replies) < 1000:
        replies.append(caller.get("status"))

    assert len(replies) > 100
    assert replies[-1].status_code == 400
    assert replies[-1].json()["error"] == {"code": 10028, "message": "too_many_requests"}


def test_credits_come_back_with_time_up_to_the_burst():
    now = [0.0]
    bucket = Bucket(burst=3, per_second=2, monotonic=lambda: now[0])

    taken = []
    for seconds in (0, 0, 0, 0, 0.5, 0, 100, 0, 0, 0):
        now[0] += seconds
        taken.append(bucket.take())

    assert taken == [True, True, True, False, True, False, True, True, True, False]


def test_the_33rd_connection_is_turned_away(simulator):
    with ExitStack() as stack:
        lines = [exchange_over(stack.enter_context(connect(simulator))) for _ in range(33)]

    assert lines == ["HTTP/1.1 200 OK"] * 32 + ["HTTP/1.1 429 Too Many Requests"]


def test_without_limits_nobody_is_turned_away():
    with Simulator(limits=False) as simulator, ExitStack() as stack:
        connections = [stack.enter_context(connect(simulator)) for _ in range(33)]
        lines = {exchange_over(connection) for connection in connections for _ in range(4)}

    assert lines == {"HTTP/1.1 200 OK"}


def test_faults_are_posted_listed_and_deleted(caller):
    posted = caller.client.post(caller.simulator.faults_url, json={"kind": "html", "times": 3})
    met = caller.get("status").status_code
    listed = caller.client.get(caller.simulator.faults_url)
    deleted = caller.client.delete(caller.simulator.faults_url)

    assert (posted.status_code, posted.json()) == (200, {"kind": "html", "times": 3})
    assert met == 502
    assert listed.json() == [{"kind": "html", "times": 2}]
    assert (deleted.status_code, deleted.json()) == (200, [])
    assert caller.get("status").status_code == 200


def test_a_wrong_fault_is_refused_in_one_line(caller):
    reply = caller.client.post(caller.simulator.faults_url, json={"kind": "slow", "delay_s": -1})

    assert reply.status_code == 400
    assert reply.json() == {"error": "delay_s = -1: must be a number above 0, at most 31536000"}
    assert caller.simulator.faults.listing() == []


def test_an_error_can_be_chosen_whole(caller):
    caller.add("error", code=11051, message="system_maintenance", data={"reason": "test"}, status=503, times=1)

    reply = caller.get("status")

    assert reply.status_code == 503
    assert reply.json()["error"] == {"code": 11051, "message": "system_maintenance", "data": {"reason": "test"}}


def test_an_error_comes_with_http_400_by_default(caller):
    caller.add("error", code=10028, message="too_many_requests")

    reply = caller.get("status")

    assert reply.status_code == 400
    assert reply.json()["error"] == {"code": 10028, "message": "too_many_requests"}


@pytest.mark.parametrize(
    ("field", "value", "carried"),
    [
        ("code", 2**70, b'"code": 1180591620717411303424,'),
        ("message", "\ud83d", rb'"message": "\ud83d"'),
        ("message", "\0", rb'"message": "\u0000"'),
        ("message", "x" * 10**6, b"x" * 10**6),
    ],
)
def test_an_error_that_was_posted_is_carried_as_it_is(caller, field, value, carried):
    caller.client.post(caller.simulator.faults_url, content=json.dumps({"kind": "error", field: value}))

    assert carried in caller.get("status").content


def test_one_index_can_fail_alone(caller):
    caller.add("error", index_name="btc_usd")

    assert [caller.get(*call).status_code for call in (PRICE, CHART, ("status", {}))] == [400, 400, 200]
    assert caller.get("get_index_price", {"index_name": "eth_usd"}).status_code == 200


def test_one_method_can_fail_alone_for_one_index(caller):
    caller.add("error", index_name="btc_usd", method="get_index_chart_data", status=500)

    assert [caller.get(*call).status_code for call in (PRICE, CHART)] == [200, 500]
    assert caller.get("get_index_chart_data", {"index_name": "eth_usd", "range": "1h"}).status_code == 200


def test_a_delisted_index_is_in_no_list_and_refused_like_an_unknown_one(caller):
    unknown = caller.get("get_index_price", {"index_name": "no_usd"}).json()["error"]
    caller.add("delisted", index_name="btc_usd")

    for method in ("get_index_price_names", "get_supported_index_names"):
        assert "btc_usd" not in caller.result(method)
        assert "eth_usd" in caller.result(method)
    assert [caller.get(*call).json()["error"] for call in (PRICE, CHART)] == [unknown, unknown]
    assert caller.get("get_index_price", {"index_name": "eth_usd"}).status_code == 200


def test_a_result_can_be_lists_in_lists(caller):
    caller.add("nested", depth=3, times=1)
    caller.add("nested", times=1)

    assert caller.result(*PRICE) == [[[]]]
    body = caller.get(*PRICE).content
    assert (body.count(b"["), body.count(b"]")) == (10_000, 10_000)


def test_a_body_can_be_large_and_is_never_whole_in_memory(caller):
    good = caller.result(*PRICE)
    caller.add("large_body", size_bytes=50_000_001)
    tracemalloc.start()
    with caller.client.stream("GET", f"{caller.simulator.url}/public/get_index_price", params=PRICE[1]) as reply:
        sizes, end = [0], b""
        for piece in reply.iter_raw():
            sizes.append(len(piece))
            end = piece
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sum(sizes) == int(reply.headers["content-length"])
    assert sum(sizes) > 50_000_001
    assert json.loads(end)["result"] == good
    assert most < 10_000_000


def test_a_reply_can_trickle(caller):
    good = caller.result(*PRICE)
    caller.add("trickle", every_s=0.002, times=1)

    began = time.monotonic()
    reply = caller.get(*PRICE)

    assert time.monotonic() - began > 0.002 * len(reply.content)
    assert reply.json()["result"] == good


def test_stopping_is_prompt_while_a_reply_trickles(simulator):
    simulator.faults.add(Fault("trickle", every_s=60))
    with connect(simulator) as waiting:
        waiting.sendall(STATUS_REQUEST)
        assert waiting.recv(65536).endswith(b"\r\n\r\n")

        began = time.monotonic()
        simulator.stop()

        assert time.monotonic() - began < 1


@pytest.mark.parametrize(("poses_as", "testnet"), [(Origin.REAL, False), (Origin.TEST, True)])
def test_it_can_pose_as_an_exchange(poses_as, testnet):
    with Simulator(poses_as=poses_as) as simulator, httpx.Client() as client:
        replies = [Caller(simulator, client).get(method) for method in ("status", "get_horoscope")]

    assert [reply.json()["testnet"] for reply in replies] == [testnet, testnet]
    assert {reply.headers["server"] for reply in replies} == {"nginx"}


def test_it_listens_on_an_address_of_ipv6():
    with Simulator("::1") as simulator, httpx.Client() as client:
        assert simulator.url == f"http://[::1]:{simulator.port}/api/v2"
        assert simulator.faults_url == f"http://[::1]:{simulator.port}/faults"
        assert Caller(simulator, client).get("status").status_code == 200


@pytest.mark.parametrize(("retry_after", "header"), [(None, None), (7, "7"), (0.5, "0.5")])
def test_a_rate_limit_is_http_429_and_may_say_when_to_return(caller, retry_after, header):
    caller.add("rate_limit", retry_after=retry_after)

    reply = caller.get("status")

    assert (reply.status_code, reply.headers.get("retry-after")) == (429, header)
    assert reply.json()["error"]["code"] == 10028


@pytest.mark.parametrize(("status", "title"), [(None, "502 Bad Gateway"), (521, "521 Unknown"), (200, "200 OK")])
def test_the_edge_can_answer_with_a_page(caller, status, title):
    caller.add("html", status=status)

    reply = caller.get("status")

    assert (reply.status_code, reply.headers["content-type"]) == (int(title[:3]), "text/html")
    assert title in reply.text


def test_a_good_status_can_come_without_json(caller):
    caller.add("not_json")

    reply = caller.get("status")

    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/plain")
    with pytest.raises(ValueError, match="Expecting value"):
        reply.json()


def test_a_slow_reply_comes_later_than_the_caller_waits(caller):
    caller.add("slow", delay_s=60, times=1)

    with pytest.raises(httpx.ReadTimeout):
        caller.client.get(f"{caller.simulator.url}/public/status", timeout=0.05)

    assert caller.get("status").status_code == 200


def test_a_reset_cuts_the_connection_without_an_answer(simulator):
    simulator.faults.add(Fault("reset"))

    with connect(simulator) as connection, pytest.raises(ConnectionResetError):
        exchange_over(connection)


def test_a_reply_can_be_cut_off_in_its_middle(caller):
    caller.add("cut_off", times=1)

    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        caller.get(*HOUR)

    assert caller.get("status").status_code == 200


def test_a_kept_connection_can_turn_out_dead_at_the_next_request(simulator):
    simulator.faults.add(Fault("hang_up", times=1))

    with connect(simulator) as connection:
        connection.sendall(STATUS_REQUEST)
        first = connection.recv(65536)
        connection.settimeout(0)
        with pytest.raises(BlockingIOError):
            connection.recv(1)
        connection.settimeout(5)
        second = exchange_over(connection)

    assert b"Connection: keep-alive" in first
    assert second == ""


def test_a_pooled_client_meets_the_dead_connection_once(caller):
    caller.add("hang_up", times=1)
    caller.get("status")

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        caller.get("status")

    assert caller.get("status").status_code == 200


@pytest.mark.parametrize(
    ("value", "read"), [("null", None), ("zero", 0), ("text", "n/a"), ("negative", -price("btc_usd", NOW))]
)
def test_a_fault_can_make_a_price_bad(caller, value, read):
    good = caller.result(*PRICE)
    caller.add("bad_price", value=value)

    assert caller.result(*PRICE) == {**good, "index_price": read}


def test_a_price_can_be_not_a_number(caller):
    caller.add("bad_price", value="nan")

    assert math.isnan(caller.result(*PRICE)["index_price"])


def test_a_price_can_be_missing(caller):
    caller.add("bad_price", value="missing")

    assert list(caller.result(*PRICE)) == ["estimated_delivery_price"]


def test_a_jump_multiplies_the_price_but_not_the_history(caller):
    good, history = caller.result(*PRICE), caller.result(*HOUR)
    caller.add("jump", factor=2)

    assert caller.result(*PRICE)["index_price"] == good["index_price"] * 2
    assert caller.result(*HOUR) == history


@pytest.mark.parametrize("by_s", [3600, -90.5])
def test_a_skewed_clock_gives_the_price_of_its_own_time(caller, by_s):
    caller.add("skew", by_s=by_s)

    reply = caller.get(*PRICE).json()

    there = NOW + timedelta(seconds=by_s)
    assert reply["usIn"] == reply["usOut"] == microseconds(there)
    assert reply["result"]["index_price"] == price("btc_usd", there)
    assert caller.result("get_time") == microseconds(there) // 1000


def test_half_a_chart_can_be_missing(caller):
    whole = caller.result(*HOUR)
    caller.add("truncated_chart")

    assert caller.result(*HOUR) == whole[300:]


def test_one_window_can_change_its_step(caller):
    hour = caller.result(*HOUR)
    caller.add("other_step", window="2d", step_s=300)

    starts = [ts for ts, _ in caller.result(*CHART)]

    assert {after - before for before, after in pairwise(starts)} == {300_000}
    assert len(starts) == 576
    assert caller.result(*HOUR) == hour


def test_the_status_can_be_partly_locked(caller):
    caller.add("locked", locked_indices=["eth_usd"])

    assert caller.result("status") == {"locked": "partial", "locked_indices": ["eth_usd"]}


def test_settlement_refuses_for_ten_seconds_after_eight(caller, clock):
    caller.add("settlement")

    clock.now = datetime(2026, 9, 21, 8, 0, 9, tzinfo=UTC)
    during = caller.get(*PRICE)
    clock.now = datetime(2026, 9, 21, 8, 0, 10, tzinfo=UTC)
    after = caller.get(*PRICE)

    assert (during.status_code, during.json()["error"]["code"]) == (400, 10041)
    assert after.status_code == 200


def test_eight_o_clock_is_harmless_without_the_fault(caller, clock):
    clock.now = datetime(2026, 9, 21, 8, 0, 1, tzinfo=UTC)

    assert caller.get(*PRICE).status_code == 200


def test_an_outage_refuses_new_and_cuts_open_connections_until_it_is_over(caller):
    port = caller.simulator.port
    with connect(caller.simulator) as bystander:
        exchange_over(bystander)

        posted = caller.client.post(caller.simulator.faults_url, json={"kind": "outage", "seconds": 0.5})

        assert posted.json() == {"kind": "outage", "seconds": 0.5}
        assert posted.headers["connection"] == "close"
        assert bystander.recv(1) == b""
    with pytest.raises(httpx.ConnectError):
        caller.get("status")
    until(lambda: reachable(caller.simulator))
    assert (caller.get("status").status_code, caller.simulator.port) == (200, port)


def test_clearing_ends_an_outage(caller):
    caller.add("outage", seconds=3600)
    refused = not reachable(caller.simulator)

    caller.simulator.faults.clear()

    assert refused
    until(lambda: reachable(caller.simulator))


def test_the_end_of_an_outage_leaves_a_longer_one_in_place(simulator):
    simulator.faults.add(Fault("outage", seconds=0.05))
    simulator.faults.add(Fault("outage", seconds=3600))

    until(lambda: len(simulator.faults.listing()) == 1)

    assert not reachable(simulator)
    simulator.faults.clear()
    until(lambda: reachable(simulator))


def test_an_outage_before_the_start_has_no_effect():
    simulator = Simulator()
    simulator.faults.add(Fault("outage", seconds=3600))

    with simulator:
        assert reachable(simulator)


def test_stopping_during_an_outage_leaves_the_port_closed(simulator):
    simulator.faults.add(Fault("outage", seconds=3600))

    simulator.stop()

    until(lambda: not any(thread.name == "simulator-outage" for thread in threading.enumerate()))
    assert not reachable(simulator)


def test_stopping_is_prompt_with_connections_open_and_replies_due(simulator):
    simulator.faults.add(Fault("slow", delay_s=60, times=1))
    with connect(simulator) as idle, connect(simulator) as waiting:
        waiting.sendall(STATUS_REQUEST)
        until(lambda: not simulator.faults.listing())
        exchange_over(idle)

        began = time.monotonic()
        simulator.stop()

        assert time.monotonic() - began < 1
        assert idle.recv(1) == b""


def test_stopping_twice_is_harmless(simulator):
    simulator.stop()
    simulator.stop()

    assert not reachable(simulator)


def test_starting_again_keeps_the_port(simulator):
    port = simulator.port
    simulator.start()
    simulator.stop()
    simulator.start()

    assert simulator.port == port
    assert reachable(simulator)


def test_a_port_in_use_is_reported(simulator):
    second = Simulator(port=simulator.port)

    with pytest.raises(OSError, match="in use"):
        second.start()

    second.stop()


def test_addresses_name_host_and_port(simulator):
    assert simulator.url == f"http://127.0.0.1:{simulator.port}/api/v2"
    assert simulator.faults_url == f"http://127.0.0.1:{simulator.port}/faults"


def test_serving_for_ever_ends_when_stopped():
    simulator = Simulator()
    serving = threading.Thread(target=simulator.serve_forever)
    serving.start()
    until(lambda: simulator.port != 0 and reachable(simulator))

    simulator.stop()

    serving.join(5)
    assert not serving.is_alive()
    assert not reachable(simulator)


def test_callers_that_leave_early_are_forgotten(caller, capfd):
    for _ in range(5):
        with connect(caller.simulator) as connection:
            connection.sendall(b"GET /api/v2/public/get_index_chart_data?index_name=btc_usd&range=2d HTTP/1.1\r\n\r\n")
            # Zero seconds to linger: the simulator gets a reset in the middle of its work.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: len(caller.simulator._server._connections) == 0)

    assert caller.get("status").status_code == 200
    assert capfd.readouterr().err == ""
