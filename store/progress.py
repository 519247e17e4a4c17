"""Functions that hear the progress of long work."""

from collections.abc import Callable

Tell = Callable[[int, int], None]
"""Takes the number of steps that are done, and the number of all steps."""

TellWhat = Callable[[str, int, int], None]
"""Takes the name of the work, the number of steps that are done, and the number of all steps."""


def unheard(_done: int, _total: int) -> None:
    """A `Tell` that does nothing."""
