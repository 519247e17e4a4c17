"""How all routes of the market are asked."""

import httpx
import pytest

from tests.api.conftest import detail

from .conftest import record_chains


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
