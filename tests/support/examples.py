"""How many examples the random tests try."""

import os
from typing import Any

from hypothesis import settings

from tests.conftest import WHOLE

_HISTORIES = int(os.environ.get("HISTORIES", "0"))


def examples(count: int, **options: Any) -> settings:
    """Try so many examples, however long each takes. A short run tries a third of them.

    HISTORIES in the environment is the number instead, for a long search.
    """
    return settings(max_examples=_HISTORIES or (count if WHOLE else count // 3), **options)
