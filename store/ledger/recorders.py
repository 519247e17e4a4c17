"""The recorders whose runs one file or lake has: who worked at the same time, and what was due for all of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from duckdb import DuckDBPyConnection

from store.models import Run, from_column

if TYPE_CHECKING:
    from .due import Stretch

# A killed run of one recorder lasted at least until its last minute of vitals: ticks may be those of another recorder.
_KNOWN_TO = """
WITH own AS (
    SELECT
        coalesce(recorder, '') AS name,
        started_at,
        ended_at,
        lead(started_at, 1, 'infinity') OVER (PARTITION BY coalesce(recorder, '') ORDER BY started_at) AS following
    FROM runs
),
minutes AS (
    SELECT
        coalesce(recorder, '') AS name,
        noted_at
    FROM vitals
)
SELECT
    own.name,
    started_at,
    coalesce(ended_at, greatest(started_at, noted_at))
FROM own
ASOF LEFT JOIN minutes ON own.name = minutes.name AND following > noted_at
"""

KnownTo = Mapping[tuple[str, datetime], datetime]
"""By recorder and start, the time up to which a run is known to have lasted: its end, or its last minute of vitals."""

Line = Sequence[Run]
"""Runs one after another, ascending by start: those of one recorder, or also of recorders that took its place."""


def known_to(cursor: DuckDBPyConnection) -> KnownTo:
    """Up to when each run is known to have lasted."""
    rows = cursor.execute(_KNOWN_TO).fetchall()
    return {(recorder, from_column(started)): from_column(to) for recorder, started, to in rows}


def in_turn(recorded: Sequence[Run]) -> bool:
    """Are the runs, ascending by start, those of one recorder? Runs of a version without names may come first."""
    names = [run.recorder for run in recorded]
    return len(set(names[names.count("") :])) < 2 and not any(names[: names.count("")])


def lines(recorded: Sequence[Run], known: KnownTo) -> Sequence[Line]:
    """The runs of recorders that worked at the same time, apart.

    A recorder that never worked at the same time as those of a line goes on with that line: it took their place, or has
    another name. So what it does not record any more is not due any more.

    Args:
        recorded: ascending by start.
        known: up to when the runs lasted.
    """
    found: list[list[Run]] = []
    for name in dict.fromkeys(run.recorder for run in recorded):
        its = [run for run in recorded if run.recorder == name]
        line = next((line for line in found if not _overlap(line, its, known)), None)
        if line is None:
            found.append(its)
        else:
            line += its
            line.sort(key=lambda run: run.started_at)
    return found


def _overlap(some: Line, others: Line, known: KnownTo) -> bool:
    """Did any run of one line last while one of the other did? Each line has no such runs of its own."""
    both = sorted([*some, *others], key=lambda run: run.started_at)
    reached = both[0].started_at
    for run in both:
        if run.started_at < reached:
            return True
        reached = max(reached, known[run.recorder, run.started_at])
    return False


def union(of_all: Iterable["Stretch"]) -> list["Stretch"]:
    """Join the stretches of several recorders, so that each slot of a feed is due once. The stretches of a feed ascend.

    While any recorder was at work, the feed was up. Where their periods differ, that of the stretch that began first
    counts. While no recorder was at work, the period of the one that was at work last counts.
    """
    by_feed: defaultdict[str, list[Stretch]] = defaultdict(list)
    for stretch in of_all:
        for feed in stretch.feeds:
            by_feed[feed].append(stretch)
    feeds: defaultdict[Stretch, list[str]] = defaultdict(list)
    for feed, its in by_feed.items():
        for piece in _joined(_deciding(its)):
            feeds[replace(piece, feeds=())].append(feed)
    found = (replace(piece, feeds=tuple(its)) for piece, its in feeds.items())
    return sorted(found, key=lambda each: (each.start, each.poll_seconds))


def _deciding(its: Sequence["Stretch"]) -> Iterator["Stretch"]:
    """The pieces of one feed: between two instants at which any stretch begins or ends, the one that decides."""
    waiting = sorted((each for each in its if each.start < each.end), key=lambda each: each.start, reverse=True)
    instants = sorted({instant for each in waiting for instant in (each.start, each.end)})
    active: list[Stretch] = []
    for start, end in pairwise(instants):
        active = [each for each in active if each.end > start]
        while waiting and waiting[-1].start <= start:
            active.append(waiting.pop())
        if active:
            yield _first_up_or_last_down(active).within(start, end)


def _first_up_or_last_down(active: Sequence["Stretch"]) -> "Stretch":
    up = [each for each in active if each.up]
    return min(up, key=_begin) if up else max(active, key=_begin)


def _begin(stretch: "Stretch") -> tuple[datetime, int]:
    return stretch.start, stretch.poll_seconds


def _joined(pieces: Iterable["Stretch"]) -> Iterator["Stretch"]:
    """Make one of neighbours with the same slots. It was cut short if its last piece was."""
    before: Stretch | None = None
    for piece in pieces:
        if before is not None and _goes_on(before, piece):
            before = replace(piece, start=before.start)
            continue
        if before is not None:
            yield before
        before = piece
    if before is not None:
        yield before


def _goes_on(before: "Stretch", piece: "Stretch") -> bool:
    return (before.end, before.poll_seconds, before.up) == (piece.start, piece.poll_seconds, piece.up)
