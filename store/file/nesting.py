"""The lease that a thread is in. A thread that asks for a lease while it holds one gets the same lease."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from .opening import cursor_of

Take = Callable[[], AbstractContextManager[DuckDBPyConnection]]
"""Takes a lease, perhaps after a wait, and lends its cursor."""

Another = Callable[[DuckDBPyConnection], AbstractContextManager[DuckDBPyConnection]]
"""Makes another cursor of what a cursor reads."""


@dataclass(eq=False)
class _Lease:
    """A lease of one thread.

    Attributes:
        cursor: the one that it lends.
        another: makes one more.
        ends: returns the lease.
        writes: it has a transaction.
        uses: the number of blocks that use it.
        lent: one of these blocks reads with the cursor of the lease; the others have one each.
    """

    cursor: DuckDBPyConnection
    another: Another
    ends: contextlib.ExitStack
    writes: bool = False
    uses: int = 0
    lent: bool = False

    @contextlib.contextmanager
    def lend(self) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor that no other block reads with."""
        if self.lent:
            with self.another(self.cursor) as another:
                yield another
            return
        self.lent = True
        try:
            yield self.cursor
        finally:
            self.lent = False


class OwnLease(threading.local):
    """The lease that the calling thread is in, if it is in one.

    A lease ends with the last block that uses it, whichever thread leaves that block.
    """

    def __init__(self, another: Another = cursor_of) -> None:
        self._another = another
        self._lease: _Lease | None = None

    @contextlib.contextmanager
    def reading(self, take: Take) -> Iterator[DuckDBPyConnection]:
        """Lend a cursor of the thread's lease; `take` one if there is none.

        Inside a transaction it is the cursor of that transaction: only this one sees the new rows.
        """
        lease = self._current() or self._begin(take)
        if lease.writes:
            yield lease.cursor
            return
        lease.uses += 1
        try:
            with lease.lend() as cursor:
                yield cursor
        finally:
            self._give_back(lease)

    @contextlib.contextmanager
    def writing(self, take: Take) -> Iterator[DuckDBPyConnection]:
        """Lend the cursor of a lease that has a transaction. Raises as `require_none`."""
        self.require_none()
        with take() as cursor:
            self._lease = lease = _Lease(cursor, self._another, contextlib.ExitStack(), writes=True, uses=1)
            try:
                yield cursor
            finally:
                self._give_back(lease)

    def require_none(self) -> None:
        """Check that the thread is in no lease.

        Raises:
            RuntimeError: the thread is in a lease; a second one would wait for the end of the first.
        """
        if self._current() is not None:
            raise RuntimeError(
                "this thread uses the database already, in an open read or write block, and would wait for itself: "
                "leave that block first"
            )

    def _current(self) -> _Lease | None:
        lease = self._lease
        return lease if lease is not None and lease.uses else None  # another thread may have left its last block

    def _begin(self, take: Take) -> _Lease:
        with contextlib.ExitStack() as ends:
            cursor = ends.enter_context(take())
            self._lease = _Lease(cursor, self._another, ends.pop_all())
        return self._lease

    def _give_back(self, lease: _Lease) -> None:
        lease.uses -= 1
        if not lease.uses:
            lease.ends.close()
