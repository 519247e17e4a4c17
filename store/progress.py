"""The callbacks that report the progress of long work."""

from collections.abc import Callable

Tell = Callable[[int, int], None]
"""Called with the number of finished steps and of all steps."""

TellWhat = Callable[[str, int, int], None]
"""Called with the current work in words, and with how much of it is done and how much there is."""


def unheard(_done: int, _total: int) -> None:
    """A `Tell` that ignores progress."""
