"""Publishes into a lake once a minute and keeps the lake once an hour, until a signal comes."""

import contextlib
import logging
import queue
import time
from collections.abc import Iterator

from store.errors import StoreError
from store.file.clock import exchange_now
from store.file.database import Database
from store.lake.connection import Lake
from store.lake.notice import Desk
from store.lake.publish import publish
from store.lake.upkeep import EACH, keep_up
from store.models import utc_now

log = logging.getLogger("tickwell.lake")

_EACH_S = 60.0
"""A publication is one commit and some small files, so the lake gets one a minute."""


class _StoppedError(Exception):
    """A signal ends the publisher while it catches up."""


def publish_until(
    signals: "queue.SimpleQueue[int]",
    database: Database,
    lake: Lake,
    place: Desk,
    each_s: float = _EACH_S,
    keep_each_s: float = EACH.total_seconds(),
) -> None:
    """Publish a file and keep the lake until a signal is in the queue. What fails is told, and tried again.

    A signal during a publication ends it after the portion that is under way.
    """

    def go_on(_done: int, _total: int) -> None:
        if not signals.empty():
            raise _StoppedError

    log.info("publishing %s into %s each %.0f s", database.path.name, lake.where, each_s)
    keep_at = time.monotonic()
    failing: dict[str, str] = {}
    while signals.empty():
        began = time.monotonic()
        try:
            with _told("published", each_s, failing):
                made = publish(database, lake, place, exchange_now(database.path), go_on)
                log.info("published rows: %s", f"{made.rows:,}")
                if began >= keep_at:
                    keep_at = began + keep_each_s
                    with _told("kept", keep_each_s, failing):
                        log.info("files written by merging small ones: %d", keep_up(lake, utc_now(), go_on))
        except _StoppedError:
            return
        _wait(signals, each_s - (time.monotonic() - began))


@contextlib.contextmanager
def _told(done: str, again_s: float, failing: dict[str, str]) -> Iterator[None]:
    """Tell once what can't be done and why; it is tried again. `failing` has what was told last."""
    try:
        yield
    except StoreError as error:
        level = logging.DEBUG if failing.get(done) == str(error) else logging.WARNING
        log.log(level, "not %s, trying again in %.0f s: %s", done, again_s, error)
        failing[done] = str(error)
    else:
        failing.pop(done, None)


def _wait(signals: "queue.SimpleQueue[int]", left_s: float) -> None:
    """Wait, but no longer than until a signal comes, which stays in the queue."""
    try:
        signals.put(signals.get(timeout=max(0.0, left_s)))
    except queue.Empty:
        return
