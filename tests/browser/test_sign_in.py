"""Signing in as a reader does it: a real server, a real browser, a real OpenID provider."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from poller.simulator.server import Simulator
from store.models import utc_now
from tests.browser.axe import add_axe, lasting
from tests.conftest import Program, in_whole, wait_until
from tests.support.chromium import PAGES, drawn, overflow
from tests.support.dashboard import Dashboard, dashboard_at, free_port
from tests.support.history import with_history

pytestmark = pytest.mark.browser

READER, STRANGER = "reader@example.com", "stranger@example.com"
TOKEN, COOKIE_SECRET, CLIENT_SECRET = "a-token-of-the-tests", "a-cookie-secret-of-the-tests", "a-client-secret-of-them"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of an OpenID provider that accepts any e-mail address as an account, and any client."""
    port = free_port()
    with Program("oidc_provider_mock", "--port", str(port)):
        url = f"http://localhost:{port}"
        wait_until(lambda: reached(url), timeout_s=20)
        yield url


def reached(url: str) -> bool:
    try:
        return httpx.get(f"{url}/.well-known/openid-configuration").is_success
    except httpx.TransportError:
        return False


def secrets_of(file: Path, port: int, provider: str, names: tuple[str, ...] = (), **settings: str) -> Path:
    """Write the secrets of a dashboard whose readers sign in with one provider, or with several named ones."""
    client = [
        'client_id = "tickwell"',
        f'client_secret = "{CLIENT_SECRET}"',
        f'server_metadata_url = "{provider}/.well-known/openid-configuration"',
    ]
    lines = [f'TICKWELL_{name.upper()} = "{value}"' for name, value in settings.items()]
    lines += [
        "[auth]",
        f'redirect_uri = "http://localhost:{port}/oauth2callback"',
        f'cookie_secret = "{COOKIE_SECRET}"',
    ]
    for name in names:
        lines += [f"[auth.{name}]", *client]
    file.write_text("\n".join(lines if names else lines + client))
    return file


@dataclass
class Private:
    """A dashboard whose readers sign in."""

    dashboard: Dashboard
    secrets: Path

    @property
    def url(self) -> str:
        return self.dashboard.url


@contextmanager
def private_at(folder: Path, provider: str, names: tuple[str, ...] = (), **settings: str) -> Iterator[Private]:
    port, database = free_port(), folder / "ticks.duckdb"
    secrets = secrets_of(folder / "secrets.toml", port, provider, names, allowed_emails=READER, **settings)
    with_history(database, utc_now() - timedelta(seconds=30))
    with Simulator(limits=False) as simulator:
        served = dashboard_at(port, secrets=secrets, database=database, deribit_url=simulator.url, poll_seconds=2)
        with served as dashboard:
            dashboard.token = settings.get("api_token", "")
            yield Private(dashboard, secrets)


@pytest.fixture(scope="module")
def private(tmp_path_factory, provider) -> Iterator[Private]:
    """A private dashboard that also has a token for programs."""
    with private_at(tmp_path_factory.mktemp("private"), provider, api_token=TOKEN) as private:
        yield private


@pytest.fixture
def visitor(contexts) -> Iterator[Callable[..., BrowserContext]]:
    """Opens a new browser for each visitor, without cookies."""
    visitors: list[BrowserContext] = []

    def visit(**options) -> BrowserContext:
        visitors.append(contexts(len(visitors), **options))
        return visitors[-1]

    yield visit
    for context in visitors:
        for page in context.pages[1:]:  # the first is the browser's own
            page.close()
        context.clear_cookies()


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    return page


def sign_in(page: Page, email: str, button: str = "Sign in") -> None:
    page.get_by_role("button", name=button).click()
    page.get_by_placeholder("sub").fill(email)
    page.get_by_role("button", name="Authorize").click()


def sign_out(page: Page) -> None:
    if page.get_by_test_id("stPopover").count():
        page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="End session").click()
    expect_to_be_asked(page)


def expect_to_be_asked(page: Page) -> None:
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    expect(page.locator("[data-testid=stMetric], .tickwell-chart, [data-testid=stAlert]")).to_have_count(0)


@pytest.mark.parametrize("path", ["/history?range=1d", "/nothing"])
def test_a_reader_who_is_not_signed_in_gets_nothing_but_the_sign_in_page_at_any_address(private, visitor, path):
    page = visitor().new_page()
    frames: list[str | bytes] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: frames.extend([frame])))

    page.goto(private.url + path)

    expect_to_be_asked(page)
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    received = b"".join(frame if isinstance(frame, bytes) else frame.encode() for frame in frames)
    assert b"This dashboard is private" in received
    assert not [word for word in (b"btc_usd", b"BTC / USD", b"recording", READER.encode()) if word in received]


def test_an_admitted_reader_signs_in_reads_every_page_and_signs_out(private, visitor):
    context = visitor()
    page = opened(context, private.url)
    sign_in(page, READER.title())
    drawn(page)
    assert page.request.get(f"{private.url}/api/prices/btc_usd/latest").status == 401  # that takes the token

    tab = context.new_page()
    for path in PAGES.values():
        tab.goto(private.url + path)
        drawn(tab)
    tab.close()
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_text(f"Signed in as {READER.title()}")).to_be_visible()
    page.keyboard.press("Escape")
    sign_out(page)

    page.goto(f"{private.url}/history")
    expect_to_be_asked(page)


def test_an_address_that_is_not_allowed_is_named_and_another_account_may_come_in(private, visitor):
    page = opened(visitor(), f"{private.url}/history")

    sign_in(page, STRANGER)

    expect(page.get_by_text(f"{STRANGER} is not among the addresses that may read here.")).to_be_visible()
    expect(page.locator("[data-testid=stMetric], .tickwell-chart")).to_have_count(0)
    sign_out(page)
    sign_in(page, READER)
    drawn(page)


def test_signing_out_in_one_tab_ends_the_others_and_the_cookie(private, visitor):
    context = visitor()
    page = opened(context, private.url)
    sign_in(page, READER)
    drawn(page)
    tab = opened(context, f"{private.url}/history")
    drawn(tab)
    kept = context.cookies()

    sign_out(page)

    expect_to_be_asked(tab)
    thief = visitor()
    thief.add_cookies(kept)
    expect_to_be_asked(opened(thief, private.url))


@in_whole
def test_signing_out_ends_all_tabs_also_where_the_provider_refuses_the_way_back(private, visitor, provider):
    context = visitor()
    page, tab = opened(context, private.url), context.new_page()
    sign_in(page, READER)
    drawn(page)
    tab.goto(f"{private.url}/history")
    drawn(tab)
    asked: list[str] = []

    def to_an_error_page(route: Route) -> None:
        reply = route.fetch(max_redirects=0)
        asked.append(reply.headers["location"])
        route.fulfill(response=reply, headers={**reply.headers, "location": f"{provider}/no-such-page"})

    page.route("**/auth/logout*", to_an_error_page)
    page.get_by_role("button", name="Account").click()
    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/no-such-page")
    expect_to_be_asked(tab)
    (way_back,) = parse_qs(urlsplit(asked[0]).query)["post_logout_redirect_uri"]
    assert way_back == f"{private.url}/oauth2callback"
    page.goto(way_back)
    expect_to_be_asked(page)


@in_whole
def test_signing_out_leaves_other_readers_signed_in(private, visitor):
    one, other = (opened(visitor(), private.url) for _ in range(2))
    for page in (one, other):
        sign_in(page, READER)
        drawn(page)
    other.evaluate("window.kept = true")

    sign_out(one)

    other.get_by_role("link", name="History").click()
    expect(other.get_by_role("heading", name="History")).to_be_visible()
    drawn(other)
    assert other.evaluate("window.kept") is True


def test_recording_does_not_depend_on_who_is_signed_in(private, visitor):
    before = private.dashboard.wait_for_ticks()["indexes"]["btc_usd"]["ticks"]

    expect_to_be_asked(opened(visitor(), private.url))

    private.dashboard.wait_for_ticks(before + 3)


@pytest.fixture(scope="module")
def of_two_providers(tmp_path_factory, provider) -> Iterator[Private]:
    """A private dashboard with two providers and without a token."""
    with private_at(tmp_path_factory.mktemp("two"), provider, ("google", "example")) as private:
        yield private


@in_whole
@pytest.mark.parametrize("name", ["Google", "Example"])
def test_each_of_two_providers_lets_readers_in(of_two_providers, visitor, name):
    page = opened(visitor(), of_two_providers.url)

    sign_in(page, READER, f"Sign in with {name}")

    drawn(page)


def test_the_sign_in_page_has_no_serious_fault_and_fits_on_a_phone(private, visitor):
    page = opened(visitor(phone=True), private.url)
    page.emulate_media(reduced_motion="reduce")

    expect_to_be_asked(page)
    expect_to_be_fit_for_all(page)
    sign_in(page, STRANGER)
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    expect_to_be_fit_for_all(page)
    sign_out(page)
    sign_in(page, READER)
    drawn(page)
    page.get_by_role("button", name="Account").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    expect_to_be_fit_for_all(page)


def expect_to_be_fit_for_all(page: Page) -> None:
    """Expect no overflow, and no serious finding of axe in light and dark."""
    add_axe(page)
    assert overflow(page) == 0
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert lasting(page) == []


def test_no_secret_is_in_any_log_page_reply_or_error(tmp_path, provider, visitor):
    told: list[str] = []
    with private_at(tmp_path, provider, api_token=TOKEN, log_level="DEBUG") as private:
        page = visitor().new_page()
        page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: told.append(str(frame))))
        page.on("response", lambda reply: told.append(str(reply.all_headers())))
        page.goto(private.url)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_placeholder("sub").wait_for()
        (state,) = parse_qs(urlsplit(page.url).query)["state"]
        page.goto(f"{private.url}/oauth2callback?code=not-a-code&state={state}")
        expect_to_be_asked(page)
        sign_in(page, READER)
        drawn(page)
        told.append(page.content())
        for path in ("health", "prices/btc_usd/latest", "prices/none/latest", "openapi.json", "nothing"):
            for sent in (f"Bearer {TOKEN}", f"Bearer {TOKEN}x", TOKEN, ""):
                reply = httpx.get(f"{private.url}/api/{path}", headers={"authorization": sent})
                told += [reply.text, str(reply.headers)]
        sign_out(page)
        _, out, err = private.dashboard.program.stop(15)
    assert "OAuth token exchange failed" in err

    for secret in (TOKEN, COOKIE_SECRET, CLIENT_SECRET):
        assert not [each for each in (*told, out, err) if secret in each]


def test_a_faulty_sign_in_stops_the_start_with_one_line_and_no_secret(tmp_path, provider):
    port = free_port()
    secrets = secrets_of(tmp_path / "secrets.toml", port, provider, api_token="too-short")

    with dashboard_at(port, secrets=secrets, database=tmp_path / "ticks.duckdb", poller="external") as dashboard:
        code, out, error = dashboard.program.finish()

    said = "TICKWELL_API_TOKEN: must be at least 16 letters, digits and signs without blanks"
    assert (code, error) == (1, f"Error: {said}\n")
    assert not [secret for secret in (COOKIE_SECRET, CLIENT_SECRET, "too-short") if secret in out + error]


def test_secrets_that_streamlit_can_not_read_stop_the_start_with_one_line(tmp_path):
    secrets = tmp_path / "secrets.toml"
    secrets.write_text("TICKWELL_POLL_SECONDS = 5\n", "utf-16")

    with dashboard_at(free_port(), secrets=secrets, database=tmp_path / "ticks.duckdb") as dashboard:
        code, _, error = dashboard.program.finish()

    assert (code, error) == (1, f"Error: {secrets} is not UTF-8: save it as UTF-8\n")
