"""Which readers may read a page, and what the others see."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.common.sign_in import at_this_machine, refusal
from pages.common.site import PAGES
from settings import ROOT, Settings
from tests.conftest import tick
from tests.pages.conftest import errors
from tests.support.sign_in import AUTH, EMAILS, TWO_PROVIDERS
from tests.support.stored import append

ALLOWED = ("reader@example.com",)


@pytest.fixture
def sign_in(tmp_path, monkeypatch):
    """Puts [auth] into the secrets."""

    def put(auth: str = AUTH) -> None:
        (tmp_path / "secrets.toml").write_text(EMAILS + auth)

    monkeypatch.setitem(Settings.model_config, "toml_file", [tmp_path / "secrets.toml"])
    return put


def texts(page: AppTest) -> list[str]:
    return [element.value for element in page.main if hasattr(element, "value")]


@pytest.mark.parametrize(
    "user",
    [
        {"email": "reader@example.com"},
        {"email": "Reader@Example.COM", "email_verified": True},
        {"email": "reader@example.com", "email_verified": "true"},
    ],
)
def test_an_address_that_is_allowed_may_read_in_any_case(user):
    assert refusal(user, ALLOWED) is None


LOCAL = {"Host": "localhost:8501", "Origin": "http://localhost:8501", "Upgrade": "websocket"}


@pytest.mark.parametrize(
    "headers",
    [
        LOCAL,
        {"host": "127.0.0.1", "origin": "http://127.0.0.1"},
        {"host": "[::1]:8501", "origin": "http://[::1]:8501"},
    ],
)
def test_a_reader_without_an_address_under_a_name_of_this_machine_is_at_the_machine(headers):
    assert at_this_machine(None, headers)
    assert not at_this_machine("192.168.1.7", headers)


@pytest.mark.parametrize(
    "sent",
    [
        {"X-Forwarded-For": "192.168.1.7"},
        {"forwarded": "for=192.168.1.7"},
        {"X-Real-IP": "192.168.1.7"},
        {"x-forwarded-proto": "https"},
        {"x-forwarded-host": "prices.example.com"},
        {"Via": "1.1 Caddy"},
        {"cf-connecting-ip": "192.168.1.7"},
        {"Host": "prices.example.com"},
        {"Host": "localhost.example.com"},
        {"Host": ""},
        {"Host": "[localhost"},
        {"Origin": "https://prices.example.com"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
def test_a_reader_behind_a_proxy_on_the_machine_is_not_at_the_machine(sent):
    assert not at_this_machine(None, LOCAL | sent)


@pytest.mark.parametrize(
    ("user", "why"),
    [
        ({"email": "other@example.com"}, "`other@example.com` is not among the addresses that may read here."),
        ({"email": "reader@example.com.evil"}, "`reader@example.com.evil` is not among"),
        ({"email": "`[a](http://evil.example)`"}, "`[a](http://evil.example)` is not among"),
        (
            {"email": "reader@example.com", "email_verified": False},
            "`reader@example.com` is not verified: the service you signed in with has not confirmed that it is yours.",
        ),
        ({"email": "reader@example.com", "email_verified": "false"}, "`reader@example.com` is not verified"),
        ({"preferred_username": "reader@example.com"}, "The account that you signed in with has no e-mail address."),
        ({"email": None}, "The account that you signed in with has no e-mail address."),
    ],
)
def test_any_other_account_is_refused_with_the_reason(user, why):
    assert (refusal(user, ALLOWED) or "").startswith(why)


@pytest.mark.parametrize("name", [page.name for page in PAGES])
def test_a_reader_who_is_not_signed_in_sees_only_the_request_to_sign_in(open_page, database, sign_in, name):
    append(database, tick())
    sign_in()

    page = open_page(name)

    assert not page.exception
    assert texts(page)[:2] == [
        "Sign in",
        "This dashboard is private. Sign in with an account that its operator allows.",
    ]
    assert [button.label for button in page.button] == ["Sign in"]
    assert not page.metric
    assert not page.caption
    assert not page.warning


def test_each_provider_has_its_button(open_page, sign_in):
    sign_in(TWO_PROVIDERS)

    page = open_page()

    assert [button.label for button in page.button] == ["Sign in with Google", "Sign in with Microsoft"]


@pytest.mark.parametrize("script", [page.name for page in PAGES])
def test_a_pages_bare_script_shows_nothing_to_a_reader_who_is_not_signed_in(open_page, database, sign_in, script):
    append(database, tick())
    sign_in()

    page = AppTest.from_file(str(ROOT / f"pages/{script}.py"), default_timeout=20).run()

    assert not page.exception
    assert len(page.main) == 0


def test_without_auth_no_reader_has_to_sign_in(open_page, database):
    append(database, tick())

    page = open_page()

    assert not page.button
    assert page.metric


def test_an_incomplete_sign_in_is_reported_instead_of_a_page(open_page, sign_in, database, tmp_path):
    sign_in()
    (tmp_path / "secrets.toml").write_text(EMAILS)

    page = open_page()

    assert errors(page) == [
        (
            "TICKWELL_ALLOWED_EMAILS is set, but nobody could sign in: put [auth] into Streamlit's secrets "
            "(docs/sign-in.md), or take the setting away to let everyone read"
        )
    ]
    assert not page.metric
