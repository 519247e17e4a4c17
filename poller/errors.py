"""What can go wrong with the exchange and with those who are told of alerts, and who reacts.

TickwellError
├── ExchangeError               no tick came of a request; the message says what was asked and what came back
│   ├── TemporaryError          the same request may succeed soon: ask again
│   │   ├── UnreachableError    no reply: connection refused, no route, timeout
│   │   ├── RateLimitedError    asked too often (HTTP 429 or code 10028): ask nothing before the pause is over
│   │   └── UnavailableError    maintenance, settlement, 5xx: the exchange says that it can't answer now
│   └── PermanentError          the same request would fail again: a person looks at it
│       ├── RefusedError        the exchange refuses what was asked, an unknown index for one
│       └── RejectedReplyError  the reply is not what the exchange documents; we don't make a tick of it
└── NotifyError                 somebody could not be told of an alert; the message says why, without the address
"""

from datetime import timedelta

from settings import TickwellError
from store.models import Cause


class ExchangeError(TickwellError):
    """A request brought no answer that can be used.

    `cause` is how the store files the failed slot; `code` is the exchange's own error code, if it gave one; `pause` is
    how long it wants to be left alone.
    """

    cause = Cause.EXCHANGE_ERROR

    def __init__(self, message: str, *, code: int | None = None, pause: timedelta = timedelta(0)) -> None:
        super().__init__(message)
        self.code = code
        self.pause = pause


class TemporaryError(ExchangeError):
    """The same request may succeed soon. The poll job asks again while the slot lasts."""


class UnreachableError(TemporaryError):
    """No reply came. The poll job asks again; a person looks after the network if it goes on."""

    cause = Cause.UNREACHABLE


class RateLimitedError(TemporaryError):
    """The exchange was asked too often. The client stays silent for `pause`."""


class UnavailableError(TemporaryError):
    """The exchange answers that it can't answer now. The client stays silent for `pause`, if there is one."""


class PermanentError(ExchangeError):
    """The same request would fail again. It isn't repeated before the next slot; a person looks at it."""


class RefusedError(PermanentError):
    """The exchange refuses the request as it is. A person corrects the setting that led to it."""


class RejectedReplyError(PermanentError):
    """The reply is not what the exchange documents: cut off, no JSON, a price that is none. A person reports it."""

    cause = Cause.REJECTED_REPLY


class NotifyError(TickwellError):
    """A message did not get through. The delivery of alerts tries again; a person looks at it if it goes on."""
