"""Who may ask the API which question, over real HTTP."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount

from api.app import create_app
from api.served import Served
from settings import Settings, load_to_serve
from store.export import tickets
from store.file.database import Database
from store.models import utc_now
from tests.api.servers import serving
from tests.support.sign_in import AUTH, EMAILS

TOKEN = "a-token-of-these-tests"
QUERY = "ticker=btc_usd&format=csv"
CLOSED = [
    "/prices/btc_usd/latest",
    "/options/chain?underlying=BTC",
    "/market/snapshots",
    "/prices/?ticker=btc_usd",
    "/openapi.json",
    "/docs",
    "/export",
    "/nothing",
    "/",
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[FastAPI, str]]:
    """The API as the dashboard mounts it, and its address."""
    api = create_app()
    app = Starlette(routes=[Mount("/api", api)])
    with serving(app) as address:
        yield api, f"http://{address}/api"


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(server, make_settings, database) -> Iterator[Ask]:
    """Asks the API, with the settings of this call or of the last one."""
    api, url = server
    with httpx.Client(base_url=url) as client:

        def ask(path: str, settings: Settings, token: str | None = None, **more: Any) -> httpx.Response:
            api.state.served = Served(settings, Database(database.path))
            headers = {} if token is None else {"authorization": token}
            return client.request(more.pop("method", "GET"), path, headers=headers, **more)

        yield ask


@pytest.fixture
def with_token(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(api_token=TOKEN)


@pytest.fixture
def with_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(EMAILS + AUTH)
    monkeypatch.setitem(Settings.model_config, "toml_file", [secrets])
    return load_to_serve()


@pytest.fixture
def with_both(with_sign_in: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TICKWELL_API_TOKEN", TOKEN)
    return load_to_serve()


@pytest.mark.parametrize("path", CLOSED)
def test_without_token_and_sign_in_the_api_is_open(ask, make_settings, path):
    reply = ask(path, make_settings())

    assert reply.status_code not in {401, 403}


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("kind", ["with_token", "with_both"])
def test_with_a_token_every_route_asks_for_it(request, ask, path, kind):
    settings = request.getfixturevalue(kind)

    without, with_it = ask(path, settings), ask(path, settings, f"Bearer {TOKEN}")

    assert without.status_code == 401
    assert without.headers["www-authenticate"] == 'Bearer realm="Tickwell"'
    assert without.json() == {
        "detail": "this API asks for its token: send the header Authorization: Bearer, with TICKWELL_API_TOKEN's value"
    }
    assert with_it.status_code not in {401, 403}


@pytest.mark.parametrize("sent", [f"bearer {TOKEN}", f"BEARER  {TOKEN}"])
def test_the_scheme_may_be_written_in_any_case(ask, with_token, sent):
    assert ask("/prices/filter", with_token, sent).status_code == 422


@pytest.mark.parametrize(
    "sent", ["", TOKEN, "Bearer", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer ümlaut"]
)
def test_another_token_is_refused_and_not_repeated(ask, with_token, sent):
    reply = ask("/prices/btc_usd/latest", with_token, sent.encode())

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer realm="Tickwell"'
    assert reply.json() == {"detail": "the token that was sent is not the value of TICKWELL_API_TOKEN"}
    assert TOKEN not in reply.text + str(reply.headers)


@pytest.mark.parametrize("path", CLOSED)
def test_with_sign_in_and_no_token_the_api_is_closed(ask, with_sign_in, path):
    reply = ask(path, with_sign_in, "Bearer anything-at-all")

    assert reply.status_code == 403
    assert reply.json() == {
        "detail": (
            "readers sign in to this dashboard, and its API is closed unless its operator sets TICKWELL_API_TOKEN"
        )
    }


@pytest.mark.parametrize("kind", ["with_token", "with_sign_in", "with_both"])
def test_health_is_open(request, ask, kind):
    reply = ask("/health", request.getfixturevalue(kind))

    assert reply.status_code == 503  # without a recorder
    assert reply.json().keys() == {"status", "poller", "indexes"}


@pytest.mark.parametrize("path", ["/health//", "/Health", "/health/../prices/", "/x/health", "/healthy"])
def test_only_health_itself_is_open(ask, with_token, path):
    assert ask(path, with_token).status_code == 401


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("kind", ["with_token", "with_sign_in", "with_both"])
def test_a_ticket_opens_the_export_that_it_was_signed_for(request, ask, kind, method):
    settings = request.getfixturevalue(kind)

    reply = ask(f"/export?{QUERY}&ticket={tickets.sign(settings.ticket_key, QUERY)}", settings, method=method)

    assert reply.status_code == 200
    assert 'filename="btc_usd-ticks-' in reply.headers["content-disposition"]
    assert bool(reply.content) == (method == "GET")


@pytest.mark.parametrize(("kind", "status"), [("with_token", 401), ("with_sign_in", 403), ("with_both", 401)])
@pytest.mark.parametrize("fault", ["altered", "expired", "for another query", "of another key", "empty"])
def test_an_invalid_ticket_opens_nothing_and_the_reply_says_what_to_do(request, ask, kind, status, fault):
    settings = request.getfixturevalue(kind)
    ticket = {
        "altered": "x" + tickets.sign(settings.ticket_key, QUERY),
        "expired": tickets.sign(settings.ticket_key, QUERY, utc_now() - timedelta(seconds=302)),
        "for another query": tickets.sign(settings.ticket_key, QUERY.replace("csv", "parquet")),
        "of another key": tickets.sign("another key", QUERY),
        "empty": "",
    }[fault]

    reply = ask(f"/export?{QUERY}&ticket={ticket}", settings)

    assert reply.status_code == status
    assert reply.json() == {
        "detail": "this link was good for five minutes and one file: get a new one from the Export page"
    }


def test_a_ticket_opens_no_other_route(ask, with_token):
    query = "ticker=btc_usd"

    reply = ask(f"/prices/?{query}&ticket={tickets.sign(with_token.ticket_key, query)}", with_token)

    assert reply.status_code == 401


def test_where_the_api_is_open_a_ticket_does_no_harm(ask, make_settings):
    assert ask(f"/export?{QUERY}&ticket=none", make_settings()).status_code == 200
