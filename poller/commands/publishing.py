"""Publishes into a lake once a minute, until a signal comes."""

import logging
import queue
import time

from store.errors import StoreError
from store.file.clock import exchange_now
from store.file.database import Database
from store.lake.connection import Lake
from store.lake.notice import Desk
from store.lake.publish import publish

log = logging.getLogger("tickwell.lake")

_EACH_S = 60.0
"""A publication is one commit and some small files, so the lake gets one a minute."""


class _StoppedError(Exception):
    """A signal ends the publisher while it catches up."""


def publish_until(
    signals: "queue.SimpleQueue[int]", database: Database, lake: Lake, place: Desk, each_s: float = _EACH_S
) -> None:
    """Publish a file again and again until a signal is in the queue. What fails is told, and tried again.

    A signal during a publication ends it after the portion that is under way.
    """

    def go_on(_done: int, _total: int) -> None:
        if not signals.empty():
            raise _StoppedError

    log.info("publishing %s into %s each %.0f s", database.path.name, lake.where, each_s)
    while signals.empty():
        began = time.monotonic()
        try:
            made = publish(database, lake, place, exchange_now(database.path), go_on)
            log.info("published rows: %s", f"{made.rows:,}")
        except _StoppedError:
            return
        except StoreError as error:
            log.warning("not published, trying again in %.0f s: %s", each_s, error)
        _wait(signals, each_s - (time.monotonic() - began))


def _wait(signals: "queue.SimpleQueue[int]", left_s: float) -> None:
    """Wait, but no longer than until a signal comes, which stays in the queue."""
    try:
        signals.put(signals.get(timeout=max(0.0, left_s)))
    except queue.Empty:
        return
