"""How far long work is, told to whoever watches."""

from collections.abc import Callable

Tell = Callable[[int, int], None]
"""Hears how many of how many steps are done."""

TellWhat = Callable[[str, int, int], None]
"""Hears in words what is being done, and how much of how much is done."""


def unheard(_done: int, _total: int) -> None:
    """A `Tell` where nobody watches."""
