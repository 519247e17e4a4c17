"""The kinds of fault, by name. Each has a function that injects it, waits until it is over, and checks the outcome."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from store.models import Exchange
from tests.faults import alone, disks, exchange, files, kills, markets, others, telling
from tests.faults.stage import SECOND, Stage
from tests.store import files as damages


@dataclass(frozen=True)
class Kind:
    """A fault, and how it is staged.

    inject: injects it on a stage a number of times.
    kills: how often the long form ends a process with kill -9; 0 for a fault of another kind.
    times: how often the long form injects one of another kind.
    mode: of the recorder; see `Stage`.
    at: the time of the clocks when it begins; None for the present.
    small_disk: on a file system of its own with 24 MB.
    mounts: it needs the right to mount.
    poses_as: the exchange that the simulator claims to be.
    """

    inject: Callable[[Stage, int], None]
    kills: int = 0
    times: int = 3
    mode: str = "external"
    at: datetime | None = None
    small_disk: bool = False
    mounts: bool = False
    poses_as: Exchange = Exchange.SIMULATOR


# Unexpected replies, each with the fault that causes it.
ODD_REPLIES: dict[str, dict[str, Any]] = {
    "an error code of 2**70": {"kind": "error", "code": 2**70},
    "a lone surrogate in a message": {"kind": "error", "message": "\ud83d"},
    "NUL in a message": {"kind": "error", "message": "\0"},
    "1 MB of message": {"kind": "error", "message": "x" * 10**6},
    "200 MB of body": {"kind": "large_body"},
    "10,000 nested brackets": {"kind": "nested"},
    "a page with HTTP 200": {"kind": "html", "status": 200},
    "a byte a second": {"kind": "trickle"},
}

# Faults of all replies about one chain, and of some of its rows.
ODD_CHAINS = ("html", "not_json", "reset", "cut_off", "hang_up", "slow", "old_summary")
ODD_ROWS = ("missing_rows", "null_marks", "unknown_names", "double_rows", "other_times")


def _odd(subject: str, inject: Callable[..., None], *which: str, mode: str = "external") -> dict[str, Kind]:
    return {
        f"{subject}: {what}": Kind(partial(inject, *which, **fault), times=1, mode=mode)
        for what, fault in ODD_REPLIES.items()
    }


SETTLEMENT = datetime(2026, 11, 20, 8, tzinfo=UTC) - 3 * SECOND
SUMMER_TIME_ENDS = datetime(2026, 10, 25, 1, tzinfo=UTC) - 5 * SECOND

KINDS: dict[str, Kind] = {
    "exchange answers with errors": Kind(partial(exchange.fails, "error")),
    "exchange limits the rate": Kind(partial(exchange.fails, "rate_limit")),
    "exchange shows a page": Kind(partial(exchange.fails, "html")),
    "exchange answers no JSON": Kind(partial(exchange.fails, "not_json")),
    "exchange resets connections": Kind(partial(exchange.fails, "reset")),
    "exchange cuts replies off": Kind(partial(exchange.fails, "cut_off")),
    "exchange hangs up": Kind(partial(exchange.fails, "hang_up")),
    "exchange is slow": Kind(partial(exchange.fails, "slow")),
    "exchange is slow for one slot": Kind(exchange.slow_for_one_slot),
    "exchange's clock is ahead": Kind(partial(exchange.fails, "skew")),
    "exchange's clock stands still": Kind(exchange.clock_stands_still),
    "exchange settles": Kind(partial(exchange.fails, "settlement"), at=SETTLEMENT),
    "exchange locks an index": Kind(partial(exchange.fails, "locked")),
    "exchange is away": Kind(partial(exchange.fails, "outage")),
    "exchange is away at the start": Kind(exchange.not_there_at_the_start),
    "prices are none": Kind(exchange.bad_prices),
    "prices jump": Kind(exchange.prices_jump),
    **_odd("one index", alone.one_index),
    "one index: TLS is cut": Kind(alone.tls, times=1),
    "one index: its chart fails for ever": Kind(alone.chart_of_one_index, times=1),
    "one index: delisted": Kind(alone.delisted, times=1),
    **_odd("all charts", alone.one_method, "get_index_chart_data"),
    **_odd("list of names", alone.one_method, "get_supported_index_names"),
    **_odd("one chain", markets.one_chain, mode="market"),
    **{f"one chain: {kind}": Kind(partial(markets.one_chain, kind=kind), 0, 1, "market") for kind in ODD_CHAINS},
    **{f"rows of a chain: {kind}": Kind(partial(markets.odd_rows, kind=kind), 0, 1, "market") for kind in ODD_ROWS},
    "pages of a log are short": Kind(markets.short_pages, times=1, mode="market"),
    "exchange settles options": Kind(markets.settlement, times=1, mode="market", at=SETTLEMENT),
    "outage is healed": Kind(exchange.heal),
    "chart is cut off": Kind(partial(exchange.charts, exchange.cut_off)),
    "chart has another step": Kind(exchange.another_step),
    "chart is out of order": Kind(partial(exchange.charts, exchange.out_of_order)),
    "chart repeats points": Kind(partial(exchange.charts, exchange.repeated)),
    "a week offline": Kind(exchange.week_offline),
    "file is missing": Kind(files.missing),
    "file is empty": Kind(partial(files.damaged, damages.empty)),
    "file is no database": Kind(partial(files.damaged, damages.no_database)),
    "file is cut off in its header": Kind(partial(files.damaged, damages.cut_in_its_header)),
    "file is cut off in its blocks": Kind(partial(files.damaged, damages.cut_in_its_blocks)),
    "file is overwritten in part": Kind(partial(files.damaged, damages.overwritten)),
    "file is of a newer version": Kind(files.newer_version),
    "file is deleted meanwhile": Kind(files.deleted_meanwhile),
    "held file is deleted meanwhile": Kind(files.deleted_meanwhile, mode="embedded"),
    "file is replaced meanwhile": Kind(files.replaced_meanwhile),
    "held file is replaced meanwhile": Kind(files.replaced_meanwhile, mode="embedded"),
    "folder is moved away": Kind(files.folder_moved_away),
    "log is of another file": Kind(files.log_of_another_file),
    "log is of an older state": Kind(files.log_of_an_older_state),
    "log is without its file": Kind(files.log_without_its_file),
    "log is torn": Kind(files.torn_log),
    "lock files are deleted": Kind(files.lock_files_deleted),
    "lock files are left behind": Kind(files.lock_files_left_behind),
    "another program keeps the file": Kind(files.foreign_program),
    "another program keeps the file, two pages open": Kind(others.kept_beside_pages, times=1, mode="dashboard"),
    "stopped while another program keeps the file": Kind(others.stopped_meanwhile),
    "another exchange answers": Kind(others.another_exchange, times=1, poses_as=Exchange.REAL),
    "disk is full": Kind(disks.disk_full, small_disk=True, mounts=True),
    "disk is full, file held": Kind(disks.disk_full, mode="embedded", small_disk=True, mounts=True),
    "disk is full at a checkpoint": Kind(disks.disk_full_at_a_checkpoint, small_disk=True, mounts=True),
    "disk is full at the first start": Kind(disks.disk_full_at_the_first_start, small_disk=True, mounts=True),
    "disk is full at a backup": Kind(disks.disk_full_at_a_backup, mounts=True),
    "folder is read-only at the start": Kind(disks.read_only_at_the_start, mounts=True),
    "folder is read-only meanwhile": Kind(disks.read_only_meanwhile, mounts=True),
    "clock is set forward by an hour": Kind(partial(exchange.clock_set, 3600)),
    "clock is set back by an hour": Kind(partial(exchange.clock_set, -3600)),
    "clock is 3 min ahead at the start": Kind(partial(others.clock_off, 180)),
    "clock is 3 min behind at the start": Kind(partial(others.clock_off, -180)),
    "summer time ends": Kind(exchange.summer_time_ends, at=SUMMER_TIME_ENDS),
    "kill -9 while recording": Kind(kills.kill_recorder, kills=60),
    "kill -9 while recording, file held": Kind(kills.kill_recorder, kills=60, mode="embedded"),
    "kill -9 while healing": Kind(kills.kill_while_healing, kills=40),
    "kill -9 while appending": Kind(partial(kills.kill_in_a_busy_loop, "leased"), kills=40),
    "kill -9 while appending, file held": Kind(partial(kills.kill_in_a_busy_loop, "held"), kills=40),
    "kill -9 while checkpointing": Kind(partial(kills.kill_in_a_busy_loop, "checkpointing"), kills=40),
    "kill -9 while migrating": Kind(kills.kill_while_migrating, kills=30),
    "kill -9 while the file is made": Kind(kills.kill_while_creating, kills=30),
    "kill -9 while closing candles": Kind(kills.kill_while_closing_candles, kills=30),
    "kill -9 while a chain is stored": Kind(partial(markets.kill_while_storing_chains, "leased"), kills=40),
    "kill -9 while a chain is stored, file held": Kind(partial(markets.kill_while_storing_chains, "held"), kills=40),
    "kill -9 while chains are checkpointed": Kind(
        partial(markets.kill_while_storing_chains, "checkpointing"), kills=40
    ),
    "kill -9 while days are packed": Kind(markets.kill_while_packing, kills=60),
    "kill -9 while a market is recorded": Kind(markets.kill_market, kills=20, mode="market"),
    "kill -9 while people are told": Kind(telling.kill_while_telling, kills=100),
    "kill -9 of a backup": Kind(kills.kill_backup, kills=30),
    "kill -9 of an import": Kind(others.kill_import, kills=30),
    "kill -9 of a reader": Kind(kills.kill_reader, kills=30),
}


def first_of_families(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """For each function and mode of the recorder, the first kind that uses them."""
    families: dict[tuple[object, str], str] = {}
    for name, kind in kinds.items():
        families.setdefault((getattr(kind.inject, "func", kind.inject), kind.mode), name)
    return {name: kinds[name] for name in families.values()}


IN_SHORT = (
    "exchange answers with errors",
    "file is deleted meanwhile",
    "disk is full",
    "clock is set forward by an hour",
    "kill -9 while appending, file held",
    "kill -9 while a chain is stored",
    "kill -9 while days are packed",
)
"""One kind for each part that can fail: the exchange, the file, the disk, the clock, the processes."""
