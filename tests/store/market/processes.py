"""Processes that store chains or pack days until they are killed: `python -m tests.store.market.processes <what> …`."""

import itertools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from store.file.database import Cursor, Database
from store.instants import MINUTE
from store.market import chains, packing
from store.models import utc_now
from tests.conftest import START, Program
from tests.store.processes import say, wait_for_the_kill
from tests.support.market import chain


def start(what: str, path: Path, *more: object) -> Program:
    """One of the functions below in a process of its own."""
    return Program("tests.store.market.processes", what, str(path), *map(str, more))


class Doom:
    """Ends this process with a kill -9 once it has passed this many steps of its work; None: never."""

    def __init__(self, after: int | None = None) -> None:
        self._after, self.passed = after, 0

    def step(self) -> None:
        if self.passed == self._after:
            os.kill(os.getpid(), signal.SIGKILL)
        self.passed += 1


class Doomed:
    """A cursor before each of whose statements is a step."""

    def __init__(self, cursor: Cursor, doom: Doom) -> None:
        self._cursor, self._doom = cursor, doom

    def execute(self, *asked: Any) -> Cursor:
        self._doom.step()
        return self._cursor.execute(*asked)


def store_chains_until_killed(path: Path, how: str, step: str) -> None:
    """Store the chain of each minute and say which one is durable now; with a step, be killed at it in the second one.

    The last two of its steps are before the commit, and before it is said. More steps begin with the first one again.
    """
    database = Database(path)
    with database.read() as cursor:
        ((first,),) = cursor.execute("SELECT count(*) FROM snapshots").fetchall()
    if how == "held":
        database.hold().__enter__()
    doom = Doom()
    for number in itertools.count(first):
        doom = Doom(int(step) % doom.passed if step and number == first + 1 else None)
        snapshot = chain("BTC", START + number * MINUTE)
        with database.write() as cursor:
            chains.append(cast("Cursor", Doomed(cursor, doom)), [snapshot])
            doom.step()
        doom.step()
        say(number)
        if how == "checkpointing":
            database.checkpoint_when_due(from_bytes=1)
        else:
            database.checkpoint_when_due()


def pack_until_killed(path: Path, step: str) -> None:
    """Pack all days anew, and say up to when they are packed; with a step, be killed at it. Steps are counted on.

    The last two steps of a day are before the commit, and before it is said.
    """
    database, doom = Database(path), Doom(int(step) if step else None)
    with database.write() as cursor:
        cursor.execute("INSERT INTO options_by_snapshot FROM options_by_contract")
        cursor.execute("DELETE FROM options_by_contract")
    say("ready")
    found: packing.Chains | None
    while True:
        with database.write() as cursor:
            if (found := packing.next_chains(cursor, utc_now())) is None:
                break
            packing.pack(cast("Cursor", Doomed(cursor, doom)), found)
            doom.step()
        doom.step()
        say(found.end.isoformat())
        database.checkpoint_when_due()
    wait_for_the_kill()


if __name__ == "__main__":
    parts: dict[str, Callable[..., None]] = {
        "store_chains_until_killed": store_chains_until_killed,
        "pack_until_killed": pack_until_killed,
    }
    parts[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:])
