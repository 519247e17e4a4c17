"""The settings of sign-in hold, or the start is refused; no secret is ever shown."""

import importlib.util
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr, ValidationError

import settings
from settings import ROOT, Settings, SettingsError, SignIn, load, load_to_serve
from tests.support.sign_in import AUTH, EMAILS, TWO_PROVIDERS

TOKEN = "a-token-of-these-tests"


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of secrets that is not there yet."""
    file = tmp_path / "secrets.toml"
    monkeypatch.setitem(Settings.model_config, "toml_file", [file])
    return file


def refusal() -> str:
    with pytest.raises(SettingsError) as refused:
        load_to_serve()
    return str(refused.value)


def test_without_auth_nobody_has_to_sign_in_and_the_api_is_open():
    loaded = load_to_serve()

    assert (loaded.sign_in, loaded.ticket_key) == (None, None)


def test_with_auth_and_addresses_readers_sign_in(secrets):
    secrets.write_text(EMAILS + AUTH)

    loaded = load_to_serve()

    assert loaded.sign_in == SignIn(
        ("default",), "a-cookie-secret-of-these-tests", "http://localhost:8501/oauth2callback"
    )
    assert loaded.allowed_emails == ("reader@example.com",)


@pytest.mark.parametrize(
    ("auth", "providers"),
    [
        (TWO_PROVIDERS, ("google", "microsoft")),
        (
            AUTH + '[auth.google]\nclient_id = "a"\nclient_secret = "b"\nserver_metadata_url = "c"\n',
            ("default", "google"),
        ),
        (AUTH + '[auth.client_kwargs]\nprompt = "login"\n', ("default",)),
    ],
)
def test_each_provider_is_a_way_to_sign_in(secrets, auth, providers):
    secrets.write_text(EMAILS + auth)

    sign_in = load_to_serve().sign_in

    assert sign_in is not None
    assert sign_in.providers == providers


def test_the_auth_table_of_the_later_file_replaces_the_earlier_one_as_in_streamlit(secrets, tmp_path, monkeypatch):
    own = tmp_path / "own.toml"
    own.write_text(EMAILS + AUTH)
    secrets.write_text(TWO_PROVIDERS)
    monkeypatch.setitem(Settings.model_config, "toml_file", [own, secrets])

    sign_in = load_to_serve().sign_in

    assert sign_in is not None
    assert sign_in.providers == ("google", "microsoft")


def test_addresses_without_auth_are_refused(secrets):
    secrets.write_text(EMAILS)

    assert refusal() == (
        "TICKWELL_ALLOWED_EMAILS is set, but nobody could sign in: put [auth] into Streamlit's secrets "
        "(docs/sign-in.md), or take the setting away to let everyone read"
    )


def test_auth_without_addresses_is_refused(secrets):
    secrets.write_text(AUTH)

    assert refusal() == (
        "[auth] is in Streamlit's secrets, but nobody is allowed to sign in: set TICKWELL_ALLOWED_EMAILS to their "
        "addresses"
    )


def test_auth_without_authlib_is_refused(secrets, monkeypatch):
    secrets.write_text(EMAILS + AUTH)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    assert refusal() == "[auth] is in Streamlit's secrets, but Authlib isn't installed: pip install -r requirements.txt"


@pytest.mark.parametrize(
    ("auth", "fault"),
    [
        ('auth = "yes"', "auth in the secrets must be a table, which begins with [auth]"),
        (
            "[auth]",
            (
                "the secrets lack redirect_uri in [auth], cookie_secret in [auth], client_id in [auth], "
                "client_secret in [auth], server_metadata_url in [auth]"
            ),
        ),
        (AUTH.replace("client_secret", "secret"), "the secrets lack client_secret in [auth]"),
        (
            TWO_PROVIDERS.replace('client_id = "tickwell"', "", 1),
            "the secrets lack client_id in [auth.google]",
        ),
        (
            TWO_PROVIDERS.replace("google", "my_google"),
            "[auth.my_google] in the secrets: the name of a provider must be without _",
        ),
        (
            AUTH.replace("/oauth2callback", "/"),
            (
                "redirect_uri in [auth] must be this dashboard's address with /oauth2callback after it, such as "
                "http://localhost:8501/oauth2callback"
            ),
        ),
        (
            AUTH.replace("a-cookie-secret-of-these-tests", "short"),
            "cookie_secret in [auth] must have at least 16 characters",
        ),
    ],
)
def test_a_fault_that_would_only_show_when_a_reader_signs_in_stops_the_start(secrets, auth, fault):
    secrets.write_text(EMAILS + auth)

    assert refusal() == fault


def test_a_recorder_that_serves_no_pages_starts_without_the_secrets_of_one_that_does(secrets):
    secrets.write_text(EMAILS)

    assert load().allowed_emails == ("reader@example.com",)


@pytest.mark.parametrize("token", ["fifteen-signs-.", "with blanks in it", "with-ümläuts-in-it"])
def test_a_bad_token_is_refused_and_not_shown(monkeypatch, token):
    monkeypatch.setenv("TICKWELL_API_TOKEN", token)

    said = refusal()

    assert said == "TICKWELL_API_TOKEN: must be at least 16 letters, digits and signs without blanks"


def test_a_token_that_is_a_number_in_the_secrets_is_refused_and_not_shown(secrets):
    secrets.write_text("TICKWELL_API_TOKEN = 1234567890123456\n")

    assert "1234567890123456" not in refusal()


def test_no_secret_is_in_the_text_of_settings_or_of_their_errors(secrets, monkeypatch):
    secrets.write_text(EMAILS + AUTH + f'[other]\nTICKWELL_API_TOKEN = "{TOKEN}"\n')
    monkeypatch.setenv("TICKWELL_API_TOKEN", TOKEN)
    loaded = load_to_serve()
    with pytest.raises(ValidationError) as refused:
        Settings(api_token="fourteen-signs", poll_seconds=0)

    texts = [repr(loaded), str(loaded), repr(loaded.sign_in), str(loaded.model_dump()), loaded.model_dump_json()]
    texts += [str(refused.value), repr(refused.value)]
    for secret in (TOKEN, "fourteen-signs", "a-cookie-secret-of-these-tests", "a-client-secret-of-these-tests"):
        assert not [text for text in texts if secret in text]


def test_the_key_of_tickets_is_derived_from_the_cookie_secret_or_the_token_and_is_neither(secrets, monkeypatch):
    monkeypatch.setenv("TICKWELL_API_TOKEN", TOKEN)
    by_token = load_to_serve().ticket_key
    secrets.write_text(EMAILS + AUTH)
    by_cookie = load_to_serve().ticket_key
    monkeypatch.delenv("TICKWELL_API_TOKEN")

    assert load_to_serve().ticket_key == by_cookie
    assert by_token is not None
    assert by_cookie is not None
    assert re.fullmatch("[0-9a-f]{64}", by_token)
    assert re.fullmatch("[0-9a-f]{64}", by_cookie)
    assert by_token != by_cookie


def test_a_folder_of_secrets_is_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(Settings.model_config, "toml_file", [tmp_path])

    assert refusal() == f"{tmp_path} is a folder: secrets must be in a .toml file"


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file is there that root can't read")
def test_a_file_of_secrets_that_can_not_be_read_is_refused(monkeypatch):
    monkeypatch.setitem(Settings.model_config, "toml_file", [Path("/proc/self/mem")])

    assert refusal() == "/proc/self/mem can't be read as a file of secrets: Input/output error"


@pytest.fixture
def named_by_nobody(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of secrets that no option and no variable names yet."""
    secrets.write_text("TICKWELL_POLL_SECONDS = 7\n")
    monkeypatch.setitem(Settings.model_config, "toml_file", None)
    monkeypatch.delitem(sys.modules, "streamlit.config", raising=False)
    return secrets


def test_in_streamlits_process_the_secrets_files_are_those_that_streamlit_reads(named_by_nobody, monkeypatch):
    options = {"secrets.files": [str(named_by_nobody)]}
    monkeypatch.setitem(sys.modules, "streamlit.config", SimpleNamespace(get_option=options.__getitem__))

    assert load().poll_seconds == 7


def test_in_another_process_the_secrets_files_are_those_that_streamlits_variable_names(named_by_nobody, monkeypatch):
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", f"/nonexistent.toml {named_by_nobody}")

    assert load().poll_seconds == 7


def test_in_another_process_the_default_secrets_files_are_the_persons_and_the_projects(named_by_nobody, monkeypatch):
    monkeypatch.delenv("STREAMLIT_SECRETS_FILES", raising=False)
    monkeypatch.setenv("HOME", str(named_by_nobody.parent))
    monkeypatch.setattr(settings, "ROOT", Path("/nonexistent"))
    (named_by_nobody.parent / ".streamlit").mkdir()
    named_by_nobody.rename(named_by_nobody.parent / ".streamlit/secrets.toml")

    assert load().poll_seconds == 7


def test_the_refusal_of_the_unfilled_template_names_the_missing_keys(secrets):
    secrets.write_text((ROOT / ".streamlit/secrets.toml.example").read_text())

    assert refusal() == "the secrets lack cookie_secret in [auth], client_id in [auth], client_secret in [auth]"


def test_the_template_of_the_secrets_serves_once_it_is_filled_in(secrets):
    text = (ROOT / ".streamlit/secrets.toml.example").read_text().replace("# TICKWELL_API_TOKEN", "TICKWELL_API_TOKEN")
    secrets.write_text(text.replace('""', '"filled-in-with-something"'))

    loaded = load_to_serve()

    assert loaded.sign_in == SignIn(("default",), "filled-in-with-something", "http://localhost:8501/oauth2callback")
    assert loaded.api_token == SecretStr("filled-in-with-something")
    assert loaded.allowed_emails == ("you@example.com", "friend@example.com")
