"""Our routes are also served below the path of the pages."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route

from server.base_path import BelowPath
from tests.api.servers import serving


def health(request: Request) -> Response:
    return PlainTextResponse(request.scope["path"])


BASES = ("", "tickwell", "/some/where/")


@pytest.fixture(scope="module", params=BASES)
def server(request) -> Iterator[tuple[str, str]]:
    """The path of the pages, and the address of a server with a route of ours."""
    base = request.param
    app = Starlette(
        routes=[Mount("/api", routes=[Route("/health", health)])],
        middleware=[Middleware(BelowPath, base=base, ours="/api")],
    )
    with serving(app) as address:
        yield base.strip("/"), f"http://{address}"


def test_a_route_of_ours_is_served_below_the_path_and_without_it(server):
    base, url = server

    for path in ("/api/health", f"/{base}/api/health" if base else "/api/health"):
        assert httpx.get(url + path).text == "/api/health"


@pytest.mark.parametrize(
    "path", ["/tickwell/health", "/tickwell/apiary", "/other/api/health", "/api/tickwell/api/health"]
)
def test_no_other_path_leads_to_it(server, path):
    _, url = server

    assert httpx.get(url + path).status_code == 404
