"""Messages to people, by apprise. It takes 25 MB and 0.2 s to load, so it is loaded for the first message.

The addresses are secrets: no error and no log has any part of an address but its service, such as "ntfy".
"""

import logging
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote

from pydantic import SecretStr

from poller.timing.guard import guarded
from poller.words import one_line
from settings import SettingsError, TickwellError

if TYPE_CHECKING:
    from apprise import Apprise, AppriseResult

TIMEOUT_S = 30.0
"""The longest time of one try. apprise gives up after 4 s of silence, but not on an answer that trickles in."""

# Shorter parts of an address are hidden only where they stand alone: "a" is a part of most words.
_LONG_ENOUGH = 4

# The system's words for a failed connection. apprise writes them to its debug log only, in words of each service.
_OF_THE_SYSTEM = re.compile(r"\[Errno -?\d+\] ([\w ,'-]+)|timed out", re.ASCII)

_MOST_LETTERS = 300

_loading = threading.Lock()

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
        self._service: Apprise | None = None
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
        if self._service is None:
            self._service = _service(self._address)
        if self._service is None:
            return "its address is not one that apprise knows"
        from apprise import NotifyType

        result = self._service.notify(
            message.body, message.title, NotifyType(message.kind), body_format="text", log_level=logging.DEBUG
        )
        return "" if result else _reason(result, self._address)


def check(addresses: Sequence[SecretStr], where: str) -> None:
    """Check that apprise knows each address.

    Raises:
        SettingsError: it doesn't know one; the message says `where` the addresses stand.
    """
    for number, address in enumerate(addresses, 1):
        if _service(address) is None:
            raise SettingsError(
                f"{where}: the {_ordinal(number)} address, {service_of(address)}, is not one that apprise knows"
            )


def service_of(address: SecretStr) -> str:
    """The service of an address, such as "ntfy"."""
    return address.get_secret_value().partition("://")[0].lower()


def _service(address: SecretStr) -> "Apprise | None":
    """The sender for an address; None where apprise doesn't know it, or lacks a library for it."""
    with _loading:  # apprise imports its services when asked, and two threads at once get half of them
        _keep_its_log()
        from apprise import Apprise, AppriseAsset

        asset = AppriseAsset(
            app_id="Tickwell",
            app_desc="Tickwell",
            storage_mode="memory",  # no files
            pgp_autogen=False,
            pem_autogen=False,
            async_mode=False,  # its own threads would delay the end of the process
            service_timeout=0,
        )
        service = Apprise.instantiate(address.get_secret_value(), asset=asset)
        return None if service is None else Apprise(service, asset=asset)


def _keep_its_log() -> None:
    """Keep apprise's log from all handlers. Only the log has the reasons of failures, but it has addresses too."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # without a handler, Python would print it


def _reason(result: "AppriseResult", address: SecretStr) -> str:
    """Why a message was not sent, in one line without any part of the address."""
    warnings, details = [], []
    for entry in result.logs():
        if logging.getLevelName(entry.level) >= logging.WARNING:
            warnings.append(entry.message)
        else:
            details += [found[1] or found[0] for found in _OF_THE_SYSTEM.finditer(entry.message)]
    said = "; ".join(dict.fromkeys([*warnings, *details])) or "it was not accepted"
    return one_line(_without(_parts(address), " ".join(said.split())), _MOST_LETTERS)


def _parts(address: SecretStr) -> Iterator[str]:
    """All parts of an address after its service: host, user, password, path, query, each as written and decoded."""
    _, _, secret = address.get_secret_value().partition("://")
    for written in re.split(r"[/?&=@:#,\s]+", secret):
        yield from {written, unquote(written)} - {""}


def _without(parts: Iterable[str], text: str) -> str:
    for part in sorted(parts, key=len, reverse=True):
        pattern = re.escape(part)
        alone = pattern if len(part) >= _LONG_ENOUGH else rf"(?<!\w){pattern}(?!\w)"
        text = re.sub(alone, "…", text, flags=re.IGNORECASE)
    return text


def _ordinal(number: int) -> str:
    ending = "th" if 10 < number % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
