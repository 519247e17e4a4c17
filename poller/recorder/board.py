"""The state of recording: the recorder publishes it in its notice and logs each change."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from poller.feeds.feed import Outcome
from store.file.recorder import Notice, RecorderLock
from store.models import Cause, Miss

log = logging.getLogger("tickwell.recorder")

_WENT_WELL = timedelta(minutes=10)

# A feed with a long period says nothing of the exchange for a while: its last reply counts for a minute.
_COUNTS = timedelta(minutes=1)


class Board:
    """Keeps the recorder's notice up to date."""

    def __init__(self, lock: RecorderLock, notice: Notice) -> None:
        self._lock = lock
        self._notice = notice
        self._failing: dict[str, str] = {}
        self._came: dict[str, datetime] = {}
        self._logs: set[str] = set()

    def served(
        self,
        outcomes: Sequence[Outcome],
        at: datetime,
        *,
        now: datetime,
        due: int,
        retry_at: datetime,
        waiting: int = 0,
        refused: int = 0,
    ) -> None:
        """Publish the outcomes of a slot so far. One reply means "recording"; a slot is trouble when no feed has one.

        Args:
            outcomes: the outcomes of the slot so far.
            at: the slot.
            now: the time; what came more than a minute before it does not count.
            due: how many feeds have the slot.
            retry_at: when the next slot begins.
            waiting: ticks of this slot and of earlier slots that are not in the database yet.
            refused: records that the database has refused so far.
        """
        self._notice = replace(self._notice, refused=refused)
        misses = [outcome for outcome in outcomes if isinstance(outcome, Miss)]
        if len(misses) == len(outcomes) < due:  # the other feeds may still bring a tick
            return
        for outcome in outcomes:
            self._failing.pop(outcome.feed, None)
            if not isinstance(outcome, Miss):
                self._came[outcome.feed] = at
        self._failing |= {miss.feed: f"{miss.cause}, {miss.detail}" for miss in misses}
        if self._comes_from_any(now):
            self._recording(dict(self._failing), at, waiting)
        elif misses:
            self.troubled(misses[0].cause, misses[0].detail, at, retry_at=retry_at, waiting=waiting)

    def _comes_from_any(self, now: datetime) -> bool:
        """Does any feed bring something: its last slot went well, and that is not long ago?"""
        return any(now - at <= _COUNTS for feed, at in self._came.items() if feed not in self._failing)

    def troubled(self, cause: Cause, detail: str, at: datetime, *, retry_at: datetime, waiting: int = 0) -> None:
        """Publish that nothing is recorded since `at`, because of `cause`."""
        if self._notice.state != cause.value:
            kept = waiting and cause is Cause.STORE_UNAVAILABLE
            log.warning("%s, %s: %s", "recorded, but not stored yet" if kept else "nothing recorded", cause, detail)
        self._publish(at, state=cause.value, detail=detail, retry_at=retry_at, waiting=waiting, failing={})

    def unpublished(self, failing: Mapping[str, str]) -> None:
        """Publish which recorded indexes the exchange does not publish now. The recorder still asks for them."""
        for name, reason in failing.items():
            log.warning("%s: %s", name, reason)
        self._failing = dict(failing)
        self._notice = replace(self._notice, failing=failing)
        self._lock.publish(self._notice)

    def loading(self, what: str, number: int, total: int) -> None:
        """Publish the progress of loading history. The state of recording stays."""
        self._backfill(f"{what}, {number} of {total}")

    def loaded(self) -> None:
        """Publish that no history is being loaded."""
        self._backfill("")

    def loading_log(self, feed: str, days: int, total: int) -> None:
        """Publish how many days of a log's history are loaded."""
        self._logs.add(feed)
        self.loading(f"loading days of {feed}", days, total)

    def loaded_log(self, feed: str) -> None:
        """Publish that a log has its history, or does not load it for now."""
        self._logs.discard(feed)
        self._backfill(self._notice.backfill if self._logs else "")

    def clock(self, ahead_s: float, at: datetime) -> None:
        """Publish by how much the exchange's clock is ahead of the local clock. `at` is the exchange's time."""
        self._notice = replace(self._notice, skew_s=round(ahead_s, 1))
        if ahead_s and self._notice.state == "starting":  # these two times came from the local clock
            self._notice = replace(self._notice, since=at, state_since=at)
        self._lock.publish(self._notice)

    def refused(self, reason: str, at: datetime) -> None:
        """Publish that the recorder ended because its settings or its file don't allow recording.

        `tries` counts such ends in a row; a recorder that lived for ten minutes begins a new count.
        """
        tries = 1 if at - self._notice.since >= _WENT_WELL else self._notice.tries + 1
        self._publish(at, state="refused", detail=reason, retry_at=None, tries=tries)

    def stopped(self, at: datetime, *, waiting: int = 0) -> None:
        """Publish that the recorder was stopped. `waiting` ticks are in a file for the next start."""
        self._publish(at, state="stopped", detail="", retry_at=None, waiting=waiting)

    def _backfill(self, progress: str) -> None:
        self._notice = replace(self._notice, backfill=progress, loading=tuple(sorted(self._logs)))
        self._lock.publish(self._notice)

    def _recording(self, failing: dict[str, str], at: datetime, waiting: int) -> None:
        for name in failing.keys() - self._notice.failing.keys():
            log.warning("%s: %s", name, failing[name])
        for name in self._notice.failing.keys() - failing.keys():
            log.info("%s is recorded again", name)
        if self._notice.state not in ("starting", "recording"):
            log.info("recording again after %.0f s", (at - self._notice.state_since).total_seconds())
        self._publish(at, state="recording", detail="", retry_at=None, waiting=waiting, failing=failing)

    def _publish(self, at: datetime, **changes: Any) -> None:
        since = self._notice.state_since if changes["state"] == self._notice.state else at
        self._notice = replace(self._notice, state_since=since, **changes)
        self._lock.publish(self._notice)
