"""Time for work on the database that delays no slot."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

Quiet = Callable[[], AbstractAsyncContextManager[object]]
"""A context that begins when a write delays no slot. Other work of this kind waits until it ends."""
