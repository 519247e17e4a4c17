"""Keeps collections that were made from rows, by the checksum of the rows, so that the same rows are not read again."""

import threading
from collections.abc import Callable, Hashable, Sized
from typing import Generic, TypeVar

Made = TypeVar("Made", bound=Sized)


class Recent(Generic[Made]):
    """The collections that were asked for last, by their keys. Threads may share it.

    It keeps at most `most` collections of at most `most_items` items each: with gaps of 400 bytes, 16 MB in all.
    """

    def __init__(self, most: int = 8, most_items: int = 5000) -> None:
        self._most = most
        self._most_items = most_items
        self._kept: dict[Hashable, Made] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """The collection of a key; `make` makes it if it is not kept."""
        with self._lock:
            found = self._kept.pop(key, None)
        if found is None:
            found = make()
        if len(found) <= self._most_items:
            with self._lock:
                self._kept[key] = found
                if len(self._kept) > self._most:
                    del self._kept[next(iter(self._kept))]
        return found
