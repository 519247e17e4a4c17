"""Messages to people, by apprise, which is loaded for the first message.

The addresses are secrets: no error and no log has any part of an address but its service, such as "ntfy".
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from poller.timing.guard import guarded
from settings import SettingsError, TickwellError

from .services import Sender, sender

TIMEOUT_S = 30.0
"""The longest time of one try. apprise gives up after 4 s of silence, but not on an answer that trickles in."""

Kind = Literal["info", "success", "warning", "failure"]


class NotifyError(TickwellError):
    """A message was not sent. Its text says why, without the address. The delivery of alerts tries again."""


@dataclass(frozen=True)
class Message:
    """A text for a person; services with colours or icons choose them by `kind`."""

    title: str
    body: str
    kind: Kind = "info"


class Target:
    """A person or service at an address. Send one message at a time."""

    def __init__(self, address: SecretStr, *, timeout_s: float = TIMEOUT_S) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._sender: Sender | None = None
        self._trying: threading.Thread | None = None

    def tell(self, message: Message) -> None:
        """Send a message; return once the service has taken it.

        Raises:
            NotifyError: it did not take the message, as far as we know.
        """
        hangs = f"no answer within {self._timeout_s:g} s"
        if not self._over():
            raise NotifyError(hangs)
        reasons: list[str] = []

        def send() -> None:
            with guarded("notify"):
                reasons.append(self._send(message))

        # The thread can be left behind: if it hangs, neither the next target nor the end of the process waits for it.
        self._trying = threading.Thread(target=send, name="tickwell-notify", daemon=True)
        self._trying.start()
        if not self._over():
            raise NotifyError(hangs)
        reason = reasons[0] if reasons else "an error in Tickwell, which the log describes"
        if reason:
            raise NotifyError(reason)

    def _over(self) -> bool:
        """Wait for a running try, and return whether it ended."""
        if self._trying is not None:
            self._trying.join(self._timeout_s)
            if self._trying.is_alive():
                return False
        self._trying = None
        return True

    def _send(self, message: Message) -> str:
        """Send a message; return why that failed, or "" if it did not."""
        if self._sender is None:
            self._sender = sender(self._address)
        if self._sender is None:
            return "its address is not one that apprise knows"
        return self._sender(message.title, message.body, message.kind)


def check(addresses: Sequence[SecretStr], where: str) -> None:
    """Check that apprise knows each address.

    Raises:
        SettingsError: it doesn't know one; the message says `where` the addresses stand.
    """
    for number, address in enumerate(addresses, 1):
        if sender(address) is None:
            raise SettingsError(
                f"{where}: the {_ordinal(number)} address, {service_of(address)}, is not one that apprise knows"
            )


def service_of(address: SecretStr) -> str:
    """The service of an address, such as "ntfy"."""
    return address.get_secret_value().partition("://")[0].lower()


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
