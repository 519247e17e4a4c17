"""What can go wrong with the exchange, and who reacts.

TickwellError
└── ExchangeError               a request brought no tick; the message says what was asked and what came back
    ├── TemporaryError          the same request may succeed soon: ask again
    │   ├── UnreachableError    no reply: connection refused, no route, timeout
    │   │   └── ClosedError     the kept connection turned out to be closed: a new one may work at once
    │   ├── RateLimitedError    asked too often (HTTP 429 or code 10028): ask nothing before the pause is over
    │   └── UnavailableError    maintenance, settlement, 5xx: the exchange says that it can't answer now
    │       └── PausedError     not asked: a pause that the exchange asked for is not over
    └── PermanentError          the same request would fail again: a person looks at it
        ├── RefusedError        the exchange refuses the question, such as one for an unknown index
        └── RejectedReplyError  the reply is not what the exchange documents; it becomes no tick
"""

from datetime import timedelta

from poller.words import one_line
from settings import TickwellError
from store.models import Cause

# A word of the exchange is cut at 200 letters. The rest is for the question, the code and the reason.
_LONGEST = 500


class ExchangeError(TickwellError):
    """A request brought no usable answer.

    Its text is one line of at most 500 characters. `cause` is how the store files the failed slot. `code` is the
    exchange's own error code, if it gave one. `pause` is how long the exchange wants no request.
    """

    cause = Cause.EXCHANGE_ERROR

    def __init__(self, message: str, *, code: int | None = None, pause: timedelta = timedelta(0)) -> None:
        super().__init__(one_line(message, _LONGEST))
        self.code = code
        self.pause = pause


class TemporaryError(ExchangeError):
    """The same request may succeed soon. The poll job asks again until the slot is over."""


class UnreachableError(TemporaryError):
    """No reply came. The poll job asks again; if it goes on, a person checks the network."""

    cause = Cause.UNREACHABLE


class ClosedError(UnreachableError):
    """The kept connection turned out to be closed. The poll asks again at once: that is no retry."""


class RateLimitedError(TemporaryError):
    """The exchange was asked too often. The client stays silent for `pause`."""


class UnavailableError(TemporaryError):
    """The exchange says that it can't answer now. The client stays silent for `pause`, if there is one."""


class PausedError(UnavailableError):
    """The client did not ask: the exchange asked for a pause that lasts `left` longer. The poll job waits for it."""

    def __init__(self, message: str, *, code: int | None, left: timedelta) -> None:
        super().__init__(message, code=code)
        self.left = left


class PermanentError(ExchangeError):
    """The same request would fail again. The poll job waits for the next slot; a person looks at it."""


class RefusedError(PermanentError):
    """The exchange refuses the request as it is. A person corrects the setting that led to it."""


class RejectedReplyError(PermanentError):
    """The reply is not what the exchange documents: cut off, not JSON, an impossible price. A person reports it."""

    cause = Cause.REJECTED_REPLY
