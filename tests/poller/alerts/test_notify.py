"""Messages reach a real receiver; a failure is reported with its reason and without the address."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from poller.alerts.notify import Message, NotifyError, Target, check
from settings import ROOT, SettingsError
from tests.conftest import wait_until
from tests.support.webhook import Webhook

HELLO = Message("Tickwell: Sharp move, critical", "BTC / USD fell 3.2 % & more <b>", "failure")
SECRETS = ("T0pS3cret", "hooks", "Passw0rd", "user", "Qu3ryT0ken", "127.0.0.1")


def target(address: str, **more: float) -> Target:
    return Target(SecretStr(address), **more)


def refusal(target: Target) -> str:
    with pytest.raises(NotifyError) as raised:
        target.tell(HELLO)
    return str(raised.value)


def refused_port() -> str:
    with Webhook() as gone:
        return gone.address


def test_a_message_arrives_as_it_is_with_its_title_and_kind():
    with Webhook() as webhook:
        target(webhook.address).tell(HELLO)

    ((method, path),) = webhook.calls
    (message,) = webhook.messages
    assert (method, path) == ("POST", "/hooks/T0pS3cret?key=Qu3ryT0ken")
    assert (message["title"], message["message"], message["type"]) == (HELLO.title, HELLO.body, "failure")


def test_a_message_whose_sender_was_killed_in_the_middle_does_not_arrive():
    with Webhook() as webhook:
        with socket.create_connection(("127.0.0.1", webhook.port)) as cut:
            cut.sendall(b"POST / HTTP/1.1\r\nContent-Length: 20\r\n\r\n{")
        target(webhook.address).tell(HELLO)

    assert webhook.titles == [HELLO.title]


def test_a_target_can_get_a_second_message():
    with Webhook() as webhook:
        again = target(webhook.address)
        for _ in range(3):
            again.tell(HELLO)

    assert webhook.titles == [HELLO.title] * 3


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("refuse", "Failed to send JSON POST notification: Internal server error., error=500."),
        ("drop", "A Connection error occurred sending JSON notification to …."),
    ],
)
def test_a_refusal_is_reported_in_one_line_without_the_address(manner, reason):
    with Webhook(manner) as webhook:
        said = refusal(target(webhook.address))

    assert said == reason


def test_a_dead_network_is_reported_with_the_reason_of_the_system():
    said = refusal(target(refused_port()))

    assert said == "A Connection error occurred sending JSON notification to ….; Connection refused"


def test_apprise_gives_up_a_receiver_that_never_answers_after_seconds():
    with Webhook("hang") as webhook:
        said = refusal(target(f"{webhook.address}&rto=0.2"))

    assert said == "A Connection error occurred sending JSON notification to ….; timed out"


def test_an_answer_that_trickles_in_is_given_up_in_time_and_holds_one_thread():
    with Webhook("trickle") as webhook:
        slow = target(webhook.address, timeout_s=0.3)
        began = time.monotonic()
        said = [refusal(slow), refusal(slow)]
        took_s = time.monotonic() - began

        assert said == ["no answer within 0.3 s"] * 2
        assert took_s < 5
        assert len(webhook.calls) == 1
        webhook.manner = "accept"
        webhook.over.set()
        wait_until(lambda: not any(thread.name == "tickwell-notify" for thread in threading.enumerate()))
        slow.tell(HELLO)
    assert webhook.titles == [HELLO.title]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_no_part_of_an_address_is_logged_at_any_level(level):
    address = refused_port()
    program = f"""
import logging
from poller.logs import configure_logging
from poller.alerts.notify import Message, NotifyError, Target, check
from pydantic import SecretStr
from settings import SettingsError
configure_logging({level!r})
logging.getLogger().setLevel(1)
address = SecretStr({address!r})
check([address], "here")
try:
    Target(address).tell(Message("title", "body"))
except NotifyError as error:
    print(error)
try:
    check([SecretStr("tgram://Passw0rd/user")], "here")
except SettingsError as error:
    print(error)
"""

    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert said.stderr == ""
    assert said.stdout.splitlines() == [
        "A Connection error occurred sending JSON notification to ….; Connection refused",
        "here: the 1st address, tgram, is not one that apprise knows",
    ]
    assert not any(secret in said.stdout for secret in SECRETS)


@pytest.mark.parametrize(
    ("address", "secret"),
    [
        ("tgram://123456789:AbcdEfghijklmnopqrstuvwxyz0123456789/-1001234/?rto=0.01&cto=0.01", "AbcdEf"),
        ("ntfy://us%65r:p%40ss@127.0.0.1:9/t%6Fpic", "p@ss"),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js/?cto=0.01", "JHMHI8qBe7bk2ZwO5U711o3dV_js"),
        ("mailto://reader:Passw0rd@127.0.0.1:9?from=me@example.org&to=you@example.org", "Passw0rd"),
    ],
)
def test_other_services_reveal_nothing_of_their_addresses_either(address, secret, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    said = refusal(target(address))

    assert secret not in said
    assert "\n" not in said
    assert 0 < len(said) <= 300


def test_an_address_that_apprise_does_not_know_is_refused_at_the_start_and_not_shown():
    known, unknown = SecretStr("ntfy://my-topic"), SecretStr("tgram://not-a-token")

    with pytest.raises(SettingsError) as raised:
        check([known, unknown], "TICKWELL_NOTIFY_URLS")

    assert str(raised.value) == "TICKWELL_NOTIFY_URLS: the 2nd address, tgram, is not one that apprise knows"


@pytest.mark.parametrize(
    ("number", "written"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (21, "21st")]
)
def test_the_place_of_an_address_is_an_ordinal_number(number, written):
    known = [SecretStr("ntfy://my-topic")] * (number - 1)

    with pytest.raises(SettingsError, match=f"the {written} address, bogus,"):
        check([*known, SecretStr("bogus://x")], "here")


def test_addresses_that_apprise_knows_are_accepted():
    check([SecretStr("ntfy://my-topic"), SecretStr("json://127.0.0.1/path")], "here")


def test_an_address_of_an_unknown_service_raises_only_a_notify_error():
    assert refusal(target("bogus://x")) == "its address is not one that apprise knows"


def test_an_error_in_our_code_is_a_failed_try_and_logged(monkeypatch, caplog):
    def fail(*_: object) -> str:
        raise ZeroDivisionError

    monkeypatch.setattr("apprise.Apprise.notify", fail)

    assert refusal(target("ntfy://my-topic")) == "an error in Tickwell, which the log describes"
    assert "the job notify failed" in caplog.messages


def test_a_refusal_without_words_says_that_it_was_not_accepted(monkeypatch):
    with Webhook() as webhook:
        silent = target(webhook.address)
        monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", lambda *_, **__: False)

        assert refusal(silent) == "it was not accepted"


def test_sending_writes_no_files(tmp_path: Path):
    program = """
import sys
from pydantic import SecretStr
from poller.alerts.notify import Message, Target
Target(SecretStr(sys.argv[1])).tell(Message("title", "body"))
"""
    with Webhook() as webhook:
        subprocess.run(
            [sys.executable, "-B", "-c", program, webhook.address],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
            check=True,
        )

    assert webhook.titles == ["title"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
