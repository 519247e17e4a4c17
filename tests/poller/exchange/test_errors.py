import re
from itertools import pairwise

import pytest

from poller.exchange import errors
from poller.exchange.errors import ExchangeError
from settings import TickwellError
from store.models import Cause


def drawn_tree() -> list[tuple[int, str]]:
    """The depth and name of each error in the drawing at the top of the module."""
    drawn = re.finditer(r"^(\W*)(\w+Error)\b", errors.__doc__ or "", re.MULTILINE)
    return [(len(line[1]) // 4, line[2]) for line in drawn]


def test_the_drawn_tree_of_errors_is_the_real_one():
    path: list[type] = [TickwellError]
    for (_, _), (depth, name) in pairwise(drawn_tree()):
        kind = getattr(errors, name)
        path[depth:] = [kind]

        assert kind.__bases__ == (path[depth - 1],)

    defined = {
        name
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and kind.__module__ == "poller.exchange.errors"
    }
    assert defined == {name for _, name in drawn_tree()} - {"TickwellError"}


@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        (errors.UnreachableError, Cause.UNREACHABLE),
        (errors.RateLimitedError, Cause.EXCHANGE_ERROR),
        (errors.UnavailableError, Cause.EXCHANGE_ERROR),
        (errors.RefusedError, Cause.EXCHANGE_ERROR),
        (errors.RejectedReplyError, Cause.REJECTED_REPLY),
    ],
)
def test_an_error_knows_how_the_store_files_it(kind: type[ExchangeError], cause: Cause):
    error = kind("what came back")

    assert (str(error), error.cause, error.code, error.pause.total_seconds()) == ("what came back", cause, None, 0)
