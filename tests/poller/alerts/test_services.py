"""The one service of an address is found without the others, and is the one that apprise itself finds."""

import subprocess
import sys
from typing import Any

import pytest
from apprise import Apprise, AppriseAsset
from pydantic import SecretStr

from poller.alerts.services import sender, service_at
from settings import ROOT

ADDRESSES = {
    "json": "json://user:secret@localhost:8080/hooks/a?key=b",
    "ntfy": "ntfys://me:secret@ntfy.example/topic",
    "telegram": "tgram://123456789:abcdefg_hijklmnop/12315544/",
    "discord": "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
    "slack with a channel": "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
    "mail, a folder of modules": "mailtos://user:secret@mail.example/?to=me@mail.example",
    "kodi, whose schemes stand elsewhere": "kodi://localhost:8080",
    "capitals": "JSON://localhost/",
}

_LOADED = """
import sys
from pydantic import SecretStr
from poller.alerts.services import sender
assert sender(SecretStr(sys.argv[1])) is not None
print(sum(name.startswith("apprise.plugins.") for name in sys.modules))
"""


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_the_service_is_the_one_that_apprise_finds(address):
    ours: Any = service_at(address, AppriseAsset())
    its: Any = Apprise.instantiate(address)

    assert (type(ours), ours.url()) == (type(its), its.url())


@pytest.mark.parametrize("address", ["nonsense://a", "json", "slack://", "mqtt://localhost/a"])
def test_an_address_that_apprise_cannot_use_has_no_sender(address):
    assert sender(SecretStr(address)) is None


def test_one_service_is_loaded_for_one_address():
    loaded = subprocess.run(
        [sys.executable, "-c", _LOADED, ADDRESSES["ntfy"]], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert 0 < int(loaded.stdout) < 10
