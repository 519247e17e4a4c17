"""Tickets: a signed parameter of an export's URL allows its download for five minutes."""

import hashlib
from datetime import datetime, timedelta
from urllib.parse import parse_qsl, urlencode

from itsdangerous import BadSignature, TimestampSigner

from store.models import utc_now

PARAMETER = "ticket"
GOOD_FOR = timedelta(minutes=5)


class _Signer(TimestampSigner):
    """Signs at a given time."""

    def __init__(self, key: str, now: datetime) -> None:
        super().__init__(key, salt=b"tickwell export", digest_method=hashlib.sha256)
        self._now = now

    def get_timestamp(self) -> int:
        return int(self._now.timestamp())


def sign(key: str, query: str, now: datetime | None = None) -> str:
    """The ticket for a URL's query, such as "ticker=btc_usd&format=csv"; add it as the parameter `ticket`.

    The order of parameters with different names does not matter.
    """
    signed = _canonical(query)
    return _Signer(key, now or utc_now()).sign(signed).decode().removeprefix(f"{signed}.")


def is_there(query: str) -> bool:
    """Does a query have a ticket, valid or not?"""
    return any(name == PARAMETER for name, _ in _parameters(query))


def holds(key: str, query: str, now: datetime | None = None) -> bool:
    """Does a query have a ticket that was signed for its other parameters less than five minutes ago?"""
    tickets = [value for name, value in _parameters(query) if name == PARAMETER]
    # A ticket is a time and a signature. With more dots, a forged ticket could carry the end of the signed query.
    if len(tickets) != 1 or tickets[0].count(".") != 1:
        return False
    try:
        _Signer(key, now or utc_now()).unsign(f"{_canonical(query)}.{tickets[0]}", max_age=GOOD_FOR.seconds)
    except BadSignature:
        return False
    return True


def _canonical(query: str) -> str:
    """The parameters without the ticket, sorted by name. Equal names keep their order: the last one may win."""
    return urlencode(sorted((each for each in _parameters(query) if each[0] != PARAMETER), key=lambda each: each[0]))


def _parameters(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)
