"""The work on one file that is made ready: its folder, a connection for it, and how its progress is told."""

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from store.file.database import ROWS_A_LEASE
from store.progress import TellWhat

STAYS_S = 60.0
"""How long to wait for a file that others hold; no person waits for an import."""


@dataclass(frozen=True)
class Limits:
    """The numbers of an import.

    Attributes:
        rows: how many rows to store under one lease, which takes 0.4 s: a multiple of DuckDB's row groups.
        stored: how many stored ticks to compare under one lease.
        market: how many rows of a market to store under one lease: ten option chains, whose smiles take 0.25 s.
        tell_s: how often a long statement reports its progress.
    """

    rows: int = 16 * 122_880
    stored: int = ROWS_A_LEASE
    market: int = 10_000
    tell_s: float = 0.2


@dataclass(frozen=True)
class Work:
    """The work on a file.

    Attributes:
        scratch: a connection to a database in memory.
        path: of the file.
        folder: for copies of the file.
        tell: called with the progress.
        limits: of the import.
    """

    scratch: DuckDBPyConnection
    path: Path
    folder: Path
    tell: TellWhat
    limits: Limits

    def ask(self, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Execute a short statement."""
        return self.scratch.execute(statement, values).fetchall()

    def run(self, what: str, statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Execute a long statement and report its progress."""
        said = f"{what} {self.path.name}"
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(lambda: self.scratch.execute(statement, values).fetchall())
            try:
                self.tell(said, 0, 100)
                while not wait([running], self.limits.tell_s).done:
                    self.tell(said, max(0, round(self.scratch.query_progress())), 100)
            except BaseException:
                self.scratch.interrupt()
                raise
            return running.result()
