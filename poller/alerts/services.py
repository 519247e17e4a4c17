"""The senders of apprise. It loads all of its 150 services to find one, which takes 18 MB more than that one.

So the one is looked for first, in the text of the modules.
"""

import contextlib
import logging
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pydantic import SecretStr

from poller.words import one_line

if TYPE_CHECKING:
    from apprise import Apprise, AppriseAsset, AppriseResult, NotifyBase

# A service names its schemes in one of two attributes, alone or in a tuple.
_NAMES = r'^ +(?:secure_)?protocol = \(?[^)=]*"{scheme}"'

# Shorter parts of an address are hidden only where they stand alone: "a" is a part of most words.
_LONG_ENOUGH = 4

# The system's words for a failed connection. apprise writes them to its debug log only, in words of each service.
_OF_THE_SYSTEM = re.compile(r"\[Errno -?\d+\] ([\w ,'-]+)|timed out", re.ASCII)

_MOST_LETTERS = 300

_loading = threading.Lock()

Sender = Callable[[str, str, str], str]
"""Sends a message of a title, a text and a kind; returns why that failed, or "" if it did not."""


def sender(address: SecretStr) -> Sender | None:
    """What sends messages to an address; None where apprise doesn't know it, or lacks a library for it."""
    with _loading:  # two threads that load services at once get half of them
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
        service = service_at(address.get_secret_value(), asset)
        return None if service is None else partial(_send, Apprise(service, asset=asset), address)


def _send(services: "Apprise", address: SecretStr, title: str, body: str, kind: str) -> str:
    result = services.notify(body, title, kind, body_format="text", log_level=logging.DEBUG)
    return "" if result else _reason(result, address)


def _keep_its_log() -> None:
    """Keep apprise's log from all handlers. Only the log has the reasons of failures, but it has addresses too."""
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())  # without a handler, Python would print it


def service_at(address: str, asset: "AppriseAsset") -> "NotifyBase | None":
    """The service of an address; None where apprise doesn't know it, or lacks a library for it."""
    from apprise import Apprise

    with contextlib.suppress(Exception):  # apprise looks into all of its services then
        scheme, _ = address.split("://", 1)
        service = _of_scheme(scheme.lower())
        parts = service.parse_url(address.replace("/#", "/%23"))
        if parts and service.enabled:
            return service(**parts, asset=asset)
    return Apprise.instantiate(address, asset=asset)


@cache
def _of_scheme(scheme: str) -> "type[NotifyBase]":
    """The service of a scheme.

    Raises:
        ValueError: none, or several, name the scheme.
    """
    from apprise import plugins

    folder, names_it = Path(plugins.__path__[0]), re.compile(_NAMES.format(scheme=re.escape(scheme)), re.MULTILINE)
    (module,) = {
        path.relative_to(folder).parts[0].removesuffix(".py")
        for path in folder.rglob("*.py")
        if names_it.search(path.read_text(encoding="utf-8"))
    }
    found = vars(import_module(f"{plugins.__name__}.{module}")).values()
    service: type[NotifyBase]
    (service,) = {each for each in found if _serves(each, scheme)}
    return service


def _serves(each: Any, scheme: str) -> bool:
    from apprise import NotifyBase

    schemes: Any = NotifyBase.schemas
    return isinstance(each, type) and issubclass(each, NotifyBase) and scheme in schemes(each)


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
