"""The stage of a fault: a recorder in a process of its own, an exchange, a file, and the checks of the file."""

import contextlib
import json
import math
import random
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from poller.simulator.truth.prices import average, price
from store.file.aside import list_aside, log_of
from store.file.database import Database
from store.instants import EPOCH
from store.ledger.gaps import ledger
from store.models import Exchange, utc_now
from tests.conftest import Program, wait_until
from tests.faults.result import Result, empty_slots
from tests.faults.witness import Arrival, Row
from tests.support import market

INDEXES = ("btc_usd", "eth_usd")
SECOND = timedelta(seconds=1)

_STORED = """
SELECT index_name, epoch_us(ts), price, resolution_s, epoch_us(received_at)
FROM ticks
"""


class Stage:
    """A file in a folder, recorded each second by one process at a time; `with` ends all processes.

    Args:
        folder: an empty one.
        seed: of the random numbers.
        mode: of the recorder; "market" for one that records markets too, as `witness.feeds_of_markets` has them; or
            "dashboard", a whole one with the recorder in its process.
        ahead_s: how far the clocks of exchange and recorder are ahead of the machine's.
        long: use the long form of the fault.
        poses_as: the exchange that the simulator claims to be.

    `url` is the exchange's address, by default our simulator's. `certificate` is a file that recorders trust
    as well. `delays_s` has the seconds from exchange time until durable for each observation. `settings` are
    the recorder's, besides file, exchange and period. A dashboard serves on `port` and writes its output to `log`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        mode: str = "external",
        seed: int = 1,
        ahead_s: float = 0,
        long: bool = False,
        poses_as: Exchange = Exchange.SIMULATOR,
    ) -> None:
        self.folder = folder
        self.file = folder / "ticks.duckdb"
        self.mode = mode
        self.long = long
        self.log = folder.with_name(f"{folder.name}.log")
        self.port = 0
        self.random = random.Random(seed)  # noqa: S311 the same run again
        self.injected = 0
        self.recovery_s: list[float] = []
        self.delays_s: list[float] = []
        self.factors = {1.0}
        self.exchange_ahead_s = ahead_s
        self._ahead_file = folder.with_name(f"{folder.name}.ahead")
        self._ahead_file.write_text(str(ahead_s))
        self._acknowledged: set[Row] = set()
        self._arrived: set[Arrival] = set()
        self.counted: int | None = None
        self.note = ""
        self.settings: dict[str, object] = {}
        self.others_lost: int | None = None
        self._damaged: list[bytes] = []
        self._heard = threading.Condition()
        self._program: Program | None = None
        self._listeners: list[threading.Thread] = []
        self._said: list[str] = []
        self.simulator = Simulator(limits=False, clock=self._exchange_time, poses_as=poses_as)
        self.url = ""
        self.certificate = ""

    def __enter__(self) -> Self:
        self.simulator.start()
        self.url = self.url or self.simulator.url
        return self

    def __exit__(self, *_: object) -> None:
        if self._program is not None:
            self.kill()
        self.simulator.stop()

    @property
    def database(self) -> Database:
        return Database(self.file)

    # The recorder

    def start(self, zone: str = "UTC") -> None:
        """Record, in a process whose local time is that of a zone."""
        settings = {"database": self.file, "deribit_url": self.url, "poll_seconds": 1} | self.settings
        if self.mode == "market":
            settings["markets"] = "BTC,ETH"
        arguments = [self.mode, str(self._ahead_file), zone, self.certificate]
        if self.mode == "dashboard":
            self.port = free_port()
            arguments += [str(self.port), str(self.log)]
        self._program = Program("tests.faults.witness", *arguments, **settings)
        self._said = []
        self._listeners = [
            threading.Thread(target=listen, args=(self._program,), daemon=True)
            for listen in (self._listen, self._listen_to_errors)
        ]
        for listener in self._listeners:
            listener.start()

    def stop(self) -> str:
        """Stop recording as a service manager does; return the recorder's stderr."""
        assert self._program is not None
        self._program.process.terminate()
        return self.end()

    def kill(self) -> None:
        """End the recorder as a power cut does."""
        assert self._program is not None
        self._program.process.kill()
        self.end()

    def end(self) -> str:
        """Wait for the end of the recorder; return its stderr."""
        assert self._program is not None
        self._program.process.wait(30)
        for listener in self._listeners:
            listener.join()
        self._program.__exit__()
        self._program = None
        return "".join(self._said)

    def wait_for(self, count: int = 2, timeout_s: float = 40, names: Sequence[str] = INDEXES) -> None:
        """Wait until each index has this many more durable observations than now."""
        with self._heard:
            wanted = {name: self._observations(name) + count for name in names}
            if not self._heard.wait_for(
                lambda: all(self._observations(name) >= wanted[name] for name in names), timeout_s
            ):
                had = {name: self._observations(name) - wanted[name] + count for name in names}
                raise AssertionError(f"no {count} ticks in {timeout_s:g} s, but {had}")

    def wait_until_healed(self, timeout_s: float = 90, names: Sequence[str] = INDEXES) -> None:
        """Wait until every finished gap is healed, or given up because it is too short for averages of 6 s."""

        def healed() -> bool:
            now = utc_now()
            with self.database.read() as cursor:
                gaps = ledger(cursor, EPOCH, now - 60 * SECOND, now)
            return all(
                gap.state == "healed" or (gap.state == "unfillable" and gap.slots < 12)
                for gap in gaps
                if gap.feed in names
            )

        wait_until(healed, timeout_s, look_again_s=0.5)

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the recorder during the block."""
        self.stop()
        yield
        self.start()

    @contextlib.contextmanager
    def injected_once(self) -> Iterator[None]:
        """A fault lasts during the block; the seconds until it is over after that are noted, and limited."""
        self.injected += 1
        yield
        started = time.monotonic()
        self.wait_for(1)
        self.recovery_s.append(time.monotonic() - started)

    # What goes wrong

    def set_clocks(self, *, recorder_s: float = 0, exchange_s: float = 0) -> None:
        """Set the clocks of the recorder's machine and of the exchange."""
        self.exchange_ahead_s += exchange_s
        new = self._ahead_file.with_suffix(".new")
        new.write_text(str(float(self._ahead_file.read_text()) + recorder_s))
        new.rename(self._ahead_file)

    def exchange_fails(self, kind: str, seconds: float = 2.5, **fields: Any) -> None:
        """Inject a fault into the exchange for a while."""
        self.simulator.faults.add(Fault(kind, seconds=seconds, **fields))
        wait_until(lambda: not self.simulator.faults.listing(), timeout_s=seconds + 5)

    def damage(self, spoil: Callable[[Path], object]) -> None:
        """Damage the file while no recorder runs. Its ticks then count neither as kept nor as lost.

        The damaged file must be kept unchanged, under another name.
        """
        spoil(self.file)
        self._damaged += [path.read_bytes() for path in (self.file, log_of(self.file)) if path.exists()]
        self.forget()

    def forget(self) -> None:
        """Drop all acknowledged ticks and snapshots so far, because the test deleted them."""
        with self._heard:
            self._acknowledged.clear()
            self._arrived.clear()

    def replace_averages(self, index_name: str, start: datetime, end: datetime) -> None:
        """Drop the acknowledged averages of a time of which an import stored ticks: these replace averages."""
        first, last = (round((at - EPOCH) / timedelta(microseconds=1)) for at in (start, end))
        with self._heard:
            self._acknowledged = {
                (name, ts, stored, step)
                for name, ts, stored, step in self._acknowledged
                if not (step and name == index_name and first < ts + step * 1_000_000 and ts <= last)
            }

    # What must be true

    def seconds(self, index_name: str) -> list[int]:
        """The seconds since 1970 with an acknowledged observation, ascending."""
        with self._heard:
            return sorted(
                ts // 1_000_000 for name, ts, _, step in self._acknowledged if name == index_name and not step
            )

    def snapshots(self, feed: str) -> list[float]:
        """When each acknowledged snapshot of a feed was received, in seconds since 1970, ascending."""
        with self._heard:
            return sorted(received_us / 1e6 for name, _, received_us, _ in self._arrived if name == feed)

    def now(self) -> datetime:
        """The time of the exchange's clock."""
        return self._exchange_time()

    def result(self, fault: str) -> Result:
        """Compare the file with the acknowledged ticks, the exchange's replies, and the slots that were due.

        A fault with a comparison of its own has set `counted` to the number of acknowledged ticks.
        """
        if self.counted is not None:
            return Result(
                fault,
                self.injected,
                self.counted,
                others_lost=self.others_lost,
                recovery_s=self.recovery_s,
                note=self.note,
            )
        now = utc_now() + timedelta(seconds=max(0.0, self.exchange_ahead_s, float(self._ahead_file.read_text())))
        with self._heard:
            acknowledged, arrived = set(self._acknowledged), set(self._arrived)
        with self.database.read() as cursor:
            rows = cursor.execute(_STORED).fetchall()
            gaps = ledger(cursor, EPOCH, now, now)
            lost_snapshots, invented_rows = market.losses(cursor, arrived)
        stored = [row[:4] for row in rows]
        kept = [(self.folder / name).read_bytes() for name in list_aside(self.file)]
        explained = [(gap.feed, gap.start, gap.end) for gap in gaps]
        return Result(
            fault,
            self.injected,
            len(acknowledged) + len(arrived),
            len(acknowledged - set(stored)) + sum(damaged not in kept for damaged in self._damaged) + lost_snapshots,
            len(stored)
            - len({row[:2] for row in stored})
            + sum(not self._published(row) for row in stored)
            + invented_rows,
            sum(
                not any(name == its and start <= slot < end for its, start, end in explained)
                for name, slot in empty_slots(rows, INDEXES, now)
            ),
            self.others_lost,
            self.recovery_s,
            self.note,
        )

    def failed(self, fault: str, error: Exception) -> Result:
        """The description of a fault that did not end in time."""
        with self._heard:
            acknowledged = len(self._acknowledged)
        words = str(error) or traceback.extract_tb(error.__traceback__)[-1].line
        return Result(
            fault,
            self.injected,
            acknowledged,
            others_lost=self.others_lost,
            error=f"{type(error).__name__}: {words}",
        )

    def _published(self, row: Row) -> bool:
        index_name, ts_us, stored, resolution_s = row
        ts = EPOCH + timedelta(microseconds=ts_us)
        if resolution_s:
            return stored == average(index_name, ts, resolution_s)
        return any(math.isclose(stored, factor * price(index_name, ts), abs_tol=1e-5) for factor in self.factors)

    def _observations(self, index_name: str) -> int:
        return sum(1 for name, _, _, resolution_s in self._acknowledged if name == index_name and not resolution_s)

    def _listen(self, program: Program) -> None:
        assert program.process.stdout is not None
        for line in program.process.stdout:
            at, added, arrived = json.loads(line)
            with self._heard:
                self._acknowledged.update(tuple(row) for row in added)
                self._arrived.update(tuple(row) for row in arrived)
                self.delays_s += [at - ts_us / 1e6 for _, ts_us, _, resolution_s in added if not resolution_s]
                self._heard.notify_all()

    def _listen_to_errors(self, program: Program) -> None:
        """Read stderr as it comes: a recorder hangs once its pipe is full, at 64 KB."""
        assert program.process.stderr is not None
        self._said.extend(program.process.stderr)

    def _exchange_time(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.exchange_ahead_s)


def free_port() -> int:
    """A port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
