"""A reply that a client has already is not sent again."""

import pytest

from tests.conftest import tick
from tests.support.stored import append

from .conftest import SECOND

PATHS = [
    f"/prices/filter?ticker=btc_usd&start_timestamp={SECOND}&end_timestamp={SECOND + 60}",
    f"/candles?ticker=btc_usd&start={SECOND}&end={SECOND + 60}",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("wrapped", ["{}", '"other", {}', "W/{}", "*"])
def test_a_body_that_the_client_has_is_not_sent_again(client, database, path, wrapped):
    append(database, tick())
    first = client.get(path)

    named = wrapped.format(first.headers["etag"].removeprefix("W/"))
    again = client.get(path, headers={"if-none-match": named})

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_changed_is_sent(client, database, path):
    append(database, tick())
    first = client.get(path)
    append(database, tick(1))

    again = client.get(path, headers={"if-none-match": first.headers["etag"]})

    assert again.status_code == 200
    assert again.content != first.content
    assert again.headers["etag"] != first.headers["etag"]


@pytest.mark.parametrize("path", PATHS)
def test_a_client_must_ask_before_it_uses_a_kept_body(client, database, path):
    assert client.get(path).headers["cache-control"] == "no-cache"
