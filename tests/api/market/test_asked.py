"""How all routes of the market are asked."""

import httpx
import pytest

from store.instants import in_iso
from tests.api.conftest import detail
from tests.conftest import START

from .conftest import answered, record_chains, record_futures


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        ("/options/smile", {"underlying": "BTC", "ta": "2026-11-01T12:00:00Z"}),
        ("/options/chain", {"underlying": "BTC", "ta": "banana"}),
        ("/futures", {"currency": "BTC", "ta": ""}),
        ("/volatility", {"currency": "BTC", "start": "2026-11-01", "ta": "2026-11-02"}),
        ("/market/snapshots", {"series": "options/BTC", "start": "2026-11-01", "ta": "2026-11-02"}),
    ],
)
def test_a_misspelt_parameter_is_named_and_the_present_is_not_answered(
    client: httpx.Client, database, path: str, parameters: dict[str, str]
):
    record_chains(database, 0)

    reply = client.get(path, params=parameters)

    assert reply.status_code == 422
    said, _, known = detail(reply).partition("; must be one of ")
    assert said == "'ta': is no parameter"
    assert set(parameters) - {"ta"} < set(known.split(", "))


@pytest.mark.parametrize("path", ["/options/chain", "/options/smile", "/futures"])
def test_underlying_and_currency_are_two_words_for_one_market(client: httpx.Client, database, path: str):
    record_chains(database, 0, underlying="ETH")
    record_futures(database, 0, currency="ETH")
    at = {"at": in_iso(START)}

    replies = [client.get(path, params={word: "ETH", **at}) for word in ("underlying", "currency")]

    assert answered(replies[0]) == answered(replies[1])
    assert " is no parameter; must be one of " in detail(
        client.get(path, params={"underlying": "ETH", "currency": "BTC", **at})
    ).replace(":", "")


def test_the_other_word_is_as_good_over_a_time(client: httpx.Client, database):
    record_chains(database, 0)
    since = {"start": in_iso(START)}

    surfaces = answered(client.get("/options/surfaces", params={"currency": "BTC", **since}))

    assert len(surfaces["rows"]) == 1
    assert answered(client.get("/volatility", params={"underlying": "BTC", **since}))["currency"] == "BTC"
    assert detail(client.get("/volatility", params={"underlying": "DOGE", **since})).startswith("currency = 'DOGE': ")
