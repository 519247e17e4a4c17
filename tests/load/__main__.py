"""Readers of a dashboard that records at 1 s, beside readers of a bare page with the same elements.

Prints a line for each page and number of readers. Exits non-zero when a slot is lost, when a reader among 50 sees no
refresh for 2 s, or a reader among 100 for 10 s.
"""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from poller.simulator.server import Simulator
from poller.timing.slots import next_slot
from store.models import utc_now
from tests.bench.apart import apart
from tests.bench.browsing import bare_server, copy_served
from tests.bench.long_history import history
from tests.bench.row import TICKS
from tests.bench.running import SECOND
from tests.bench.serving import missed
from tests.load.crowd import Crowd, watched
from tests.support.dashboard import Dashboard

PAGES = ("", "history?range=1d")
READERS = {10: 2.0, 25: 2.0, 50: 2.0, 100: 10.0}
"""The longest time in seconds that a reader may see no refresh, by the number of readers."""

SECONDS = 20
ACCEPTED_AT, ACCEPTED_S = 100, 120
"""The largest crowd is watched for longer, since it must not cost the recorder a slot."""


def lines(folder: Path) -> Iterator[tuple[str, bool]]:
    """What a crowd saw and cost, in words, and whether that is within its limits."""
    copies, path = folder / "copies", folder / "fast.duckdb"
    apart("tests.bench.copying", "copy", history(TICKS).path, copies)
    with Simulator() as simulator, bare_server(copies) as bare, copy_served(path, simulator, poll_seconds=1) as ours:
        seen(bare, "?page=overview", 1, 0)  # the first runs of a server import its libraries
        for page in PAGES:
            for count, longest_s in READERS.items():
                begin = next_slot(utc_now(), SECOND)
                found = seen(ours, page, count, ACCEPTED_S if count == ACCEPTED_AT else SECONDS)
                lost, _, _, slots = missed(path, begin, 1)
                beside = seen(bare, f"?page={quote(page or 'overview')}", count, SECONDS)
                words = f"{in_words(found)}; {lost} slots lost {slots}. Bare: {in_words(beside)}"
                within = found is not None and not lost and found.longest_s <= longest_s
                yield f"{count} readers of {page or 'overview'}: {words}", within


def seen(served: Dashboard, page: str, count: int, seconds: float) -> Crowd | None:
    """What a crowd saw; None if a reader saw no page for 60 s, as happens to the bare page."""
    found = None
    try:
        found = watched(served, page, count, seconds)
    except* TimeoutError:
        found = None
    return found


def in_words(crowd: Crowd | None) -> str:
    if crowd is None:
        return "a reader saw no page for 60 s"
    return (
        f"{crowd.rate:.2f} refreshes a second each (the fewest {min(crowd.rates):.2f}), none for at most "
        f"{crowd.longest_s:.1f} s, {crowd.cpu_ms:.1f} ms of CPU each, {crowd.cores:.2f} cores, {crowd.memory_mb:.0f} MB"
    )


def main() -> int:
    within = True
    with tempfile.TemporaryDirectory() as name:
        for line, its in lines(Path(name)):
            print(f"{'ok  ' if its else 'OVER'} {line}", flush=True)
            within = within and its
    return 0 if within else 1


if __name__ == "__main__":
    sys.exit(main())
