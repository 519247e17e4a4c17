"""What can go wrong with the exchange, and who reacts.

TickwellError
└── ExchangeError               no tick came of a request; the message says what was asked and what came back
    ├── TemporaryError          the same request may succeed soon: ask again
    │   ├── UnreachableError    no reply: connection refused, no route, timeout
    │   │   └── ClosedError     the kept connection turned out to be closed: a new one may do at once
    │   ├── RateLimitedError    asked too often (HTTP 429 or code 10028): ask nothing before the pause is over
    │   └── UnavailableError    maintenance, settlement, 5xx: the exchange says that it can't answer now
    │       └── PausedError     not asked: a pause that the exchange asked for is not over
    └── PermanentError          the same request would fail again: a person looks at it
        ├── RefusedError        the exchange refuses what was asked, an unknown index for one
        └── RejectedReplyError  the reply is not what the exchange documents; we don't make a tick of it
"""

from datetime import timedelta

from poller.words import one_line
from settings import TickwellError
from store.models import Cause

# The longest word of the exchange has 200 letters; what was asked, a code and a reason stand around it.
_LONGEST = 500


class ExchangeError(TickwellError):
    """A request brought no answer that can be used.

    Its text is one line of at most 500 characters. `cause` is how the store files the failed slot; `code` is the
    exchange's own error code, if it gave one; `pause` is how long it wants to be left alone.
    """

    cause = Cause.EXCHANGE_ERROR

    def __init__(self, message: str, *, code: int | None = None, pause: timedelta = timedelta(0)) -> None:
        super().__init__(one_line(message, _LONGEST))
        self.code = code
        self.pause = pause


class TemporaryError(ExchangeError):
    """The same request may succeed soon. The poll job asks again while the slot lasts."""


class UnreachableError(TemporaryError):
    """No reply came. The poll job asks again; a person looks after the network if it goes on."""

    cause = Cause.UNREACHABLE


class ClosedError(UnreachableError):
    """The kept connection turned out to be closed. The poll job asks again at once, as one of its retries."""


class RateLimitedError(TemporaryError):
    """The exchange was asked too often. The client stays silent for `pause`."""


class UnavailableError(TemporaryError):
    """The exchange answers that it can't answer now. The client stays silent for `pause`, if there is one."""


class PausedError(UnavailableError):
    """The client did not ask: a pause that the exchange asked for lasts for `left` more. The poll job waits for it."""

    def __init__(self, message: str, *, code: int | None, left: timedelta) -> None:
        super().__init__(message, code=code)
        self.left = left


class PermanentError(ExchangeError):
    """The same request would fail again. It isn't repeated before the next slot; a person looks at it."""


class RefusedError(PermanentError):
    """The exchange refuses the request as it is. A person corrects the setting that led to it."""


class RejectedReplyError(PermanentError):
    """The reply is not what the exchange documents: cut off, no JSON, a price that is none. A person reports it."""

    cause = Cause.REJECTED_REPLY
