"""A bad request gets one line, and only GET and HEAD are allowed."""

import pytest

from api.errors import in_one_line
from tests.conftest import tick
from tests.support.stored import append

from .conftest import SECOND, detail, filtered


def test_a_missing_parameter_is_named(client, database):
    assert detail(client.get("/prices/filter")) == (
        "ticker is missing: it must be given; start_timestamp is missing: it must be given"
    )


def test_all_faults_of_a_request_are_named_at_once(client, database):
    reply = filtered(client, limit=0, offset=-1)

    assert detail(reply) == (
        "limit = '0': must be greater than or equal to 1; offset = '-1': must be greater than or equal to 0"
    )


@pytest.mark.parametrize("text", ["a\nb\r\n", "\x00", "\u2028", "ü" * 1000])
def test_a_refusal_is_one_short_line_for_any_input(client, database, text):
    for reply in (filtered(client, limit=text), filtered(client, ticker=text)):
        assert len(detail(reply).splitlines()) == 1
        assert len(detail(reply)) < 250


def test_an_error_of_our_own_validator_keeps_its_words():
    error = {"loc": ("query", "start"), "type": "value_error", "msg": "Value error, must be a time", "input": "x"}

    assert in_one_line([error]) == "start = 'x': must be a time"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/health", "/prices/", "/prices/filter", "/prices/btc_usd/latest", "/candles"])
def test_other_methods_are_refused_and_the_reply_names_the_allowed_ones(client, database, method, path):
    reply = client.request(method, path)

    assert (reply.status_code, reply.headers["allow"]) == (405, "GET, HEAD")
    assert reply.json() == {"detail": f"method = {method!r}: must be GET or HEAD"}


@pytest.mark.parametrize(
    "path", ["/health", "/prices/btc_usd/latest", f"/candles?ticker=btc_usd&start={SECOND}&end={SECOND}", "/prices/"]
)
def test_head_answers_with_the_head_of_get(client, database, path):
    append(database, tick())

    got, head = client.get(path), client.head(path)

    volatile = {"date", "content-length"} if path == "/health" else {"date"}
    assert head.content == b""
    assert head.status_code == got.status_code
    assert {name: text for name, text in head.headers.items() if name not in volatile} == {
        name: text for name, text in got.headers.items() if name not in volatile
    }
