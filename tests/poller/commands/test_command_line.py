import json
import re
import runpy
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest
from click.testing import Result

from poller.simulator.faults import Fault
from poller.simulator.server import Simulator
from settings import ROOT, VERSION
from store.backup.manifest import read_manifest
from store.file.aside import list_aside
from store.file.database import WAIT_S, Database
from store.file.recorder import Notice, RecorderLock, read_notice
from store.ledger import gap_table, gaps, runs
from store.models import Cause, Gap, Miss, Run, Tick, utc_now
from store.prices import averages, ticks
from tests.conftest import START, Program, tick, wait_until
from tests.store.processes import held_by_a_tool

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@dataclass
class Running:
    """A recorder in a process of its own, with at least one tick."""

    program: Program
    settings: dict[str, Any]

    @property
    def database_file(self) -> Path:
        return Path(self.settings["database"])


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One recorder for all tests that only read its state."""
    file = tmp_path_factory.mktemp("running") / "ticks.duckdb"
    with Simulator(limits=False) as simulator:
        settings = {"database": file, "deribit_url": simulator.url, "poll_seconds": 1}
        with Program("poller", **settings) as program:
            wait_until(lambda: recording(file) and len(stored(file)) == 2)
            yield Running(program, settings)


def recording(database_file: Path) -> bool:
    notice = read_notice(database_file)
    return notice is not None and notice.state == "recording"


def stored(database_file: Path) -> dict[str, Any]:
    with Database(database_file).read() as cursor:
        return dict(ticks.summary(cursor))


def only_line(text: str) -> str:
    """The text, which is one line."""
    assert text.endswith("\n")
    assert text.count("\n") == 1
    return text.removesuffix("\n")


# run


@pytest.mark.parametrize(("arguments", "number"), [((), signal.SIGTERM), (("run",), signal.SIGINT)])
def test_a_signal_stops_recording_promptly_with_all_ticks_written(
    database_file: Path, simulator: Simulator, arguments, number
):
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1, "indexes": "btc_usd"}
    with Program("poller", *arguments, **settings) as program:
        wait_until(lambda: recording(database_file))
        asked_at = time.monotonic()
        code, out, err = program.stop(number)
        took_s = time.monotonic() - asked_at

    assert (code, out) == (0, "")
    assert took_s < 2
    assert "INFO recording btc_usd every 1 s into " in err
    assert err.endswith("INFO stopped, all is written\n")
    with Database(database_file).read() as cursor:
        newest = ticks.latest(cursor, "btc_usd")
        (run,) = runs.runs(cursor)
    assert newest is not None
    assert run.ended_at is not None
    assert run.started_at < newest.ts < run.ended_at
    notice = read_notice(database_file)
    assert notice is not None
    assert (notice.state, notice.alive) == ("stopped", False)


def test_a_second_recorder_is_turned_away_in_one_line(running: Running):
    with Program("poller", **running.settings) as second:
        code, out, err = second.finish()

    assert (code, out) == (1, "")
    line = only_line(err)
    assert line.startswith(f"Error: {running.database_file} is already being recorded by PID ")
    assert f"PID {running.program.process.pid} (external, since " in line
    assert "stop that recorder first" in line
    assert running.program.process.poll() is None


def test_an_unknown_index_ends_the_start_in_one_line(database_file: Path, simulator: Simulator):
    settings = {"database": database_file, "deribit_url": simulator.url, "indexes": "btc_usd,eth_used"}
    with Program("poller", **settings) as program:
        code, out, err = program.finish()

    assert (code, out) == (1, "")
    expected = "names eth_used, which the exchange does not publish, did you mean eth_usd?"
    assert only_line(err) == f"Error: TICKWELL_INDEXES {expected}"


def test_a_bad_setting_ends_the_start_in_one_line():
    with Program("poller", poll_seconds="often") as program:
        code, out, err = program.finish()

    assert (code, out) == (1, "")
    assert only_line(err) == "Error: TICKWELL_POLL_SECONDS = 'often': must be a whole number from 1 to 3600"


def test_too_many_indexes_are_refused_in_one_line(command):
    result = command("run", poll_seconds=1, indexes=",".join(f"coin{i}_usd" for i in range(12)))

    assert result.exit_code == 1
    line = only_line(result.stderr)
    assert line.startswith("Error: TICKWELL_INDEXES with 12 names and TICKWELL_POLL_SECONDS = 1 ask for 12 requests a ")
    assert line.endswith("at most 5 are allowed, so poll at most 5 indexes, or every 3 s")


def test_a_bad_address_ends_the_start_in_one_line(database_file: Path):
    with Program("poller", database=database_file, deribit_url="http://exchange.test:port") as program:
        code, _, err = program.finish()

    assert code == 1
    assert only_line(err) == (
        "Error: TICKWELL_DERIBIT_URL = 'http://exchange.test:port': must be an address that starts with http:// or https://"
    )


def test_an_unknown_command_is_a_usage_error(command):
    result = command("recrod")

    assert result.exit_code == 2
    assert "No such command 'recrod'" in result.stderr


def test_the_version_can_be_asked_for(command):
    assert command("--version").stdout == f"tickwell, version {VERSION}\n"


# once


def test_once_records_and_prints_each_tick(database_file: Path, simulator: Simulator):
    with Program("poller", "once", database=database_file, deribit_url=simulator.url) as program:
        code, out, err = program.finish()

    assert (code, err) == (0, "")
    assert len(out.splitlines()) == 2
    with Database(database_file).read() as cursor:
        for name in ("btc_usd", "eth_usd"):
            stored = ticks.latest(cursor, name)
            assert stored is not None
            assert f"{name} {stored.price} at {stored.ts:%Y-%m-%d %H:%M:%S.%f} UTC (simulator)\n" in out


def test_once_fails_when_an_index_does(command, simulator: Simulator):
    simulator.faults.add(Fault("bad_price", value="null", times=1))

    result = command("once", deribit_url=simulator.url)

    failed, recorded = sorted(result.stdout.splitlines(), key=lambda line: "(simulator)" in line)
    assert result.exit_code == 1
    assert ": rejected reply, get_index_price " in failed
    assert recorded.endswith("UTC (simulator)")


def test_once_is_refused_beside_a_recorder(command, running: Running):
    result = command("once", **running.settings)

    assert (result.exit_code, result.stdout) == (1, "")
    assert f"PID {running.program.process.pid}" in only_line(result.stderr)


# status


def test_status_looks_at_a_running_recorder(running: Running):
    asked_at = time.monotonic()
    with Program("poller", "status", **running.settings) as program:
        code, out, err = program.finish()

    assert time.monotonic() - asked_at < WAIT_S
    assert (code, err) == (0, "")
    first, second, third, *indexes = out.splitlines()
    assert first.startswith("ok: ")
    assert "recording, " in first
    assert (second, third) == (f"database {running.database_file}", "prices of the simulator")
    assert [line.split()[0] for line in indexes] == ["btc_usd", "eth_usd"]
    assert " s old, " in indexes[0]


def test_status_gives_the_object_of_the_health_route_as_json(running: Running):
    asked_at = time.monotonic()
    with Program("poller", "status", "--json", **running.settings) as program:
        code, out, err = program.finish()

    assert time.monotonic() - asked_at < WAIT_S
    assert (code, err) == (0, "")
    report = json.loads(only_line(out))
    assert report.keys() == {"status", "version", "now", "database", "poller", "indexes", "feeds", "checks", "lake"}
    assert (report["status"], report["version"]) == ("ok", VERSION)
    assert report["poller"]["pid"] == running.program.process.pid
    assert report["indexes"]["btc_usd"]["ticks"] >= 1
    assert datetime.fromisoformat(report["now"]).tzinfo == UTC


def test_status_works_without_anything_recorded(command, database_file: Path):
    result = command("status")

    assert result.exit_code == 0
    assert result.stdout == f"empty: not recording: no recorder was started yet\ndatabase {database_file}\n"
    assert not database_file.exists()


def test_status_reports_a_recorder_that_was_killed(command, database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
    lock = RecorderLock(database.path)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START))
    lock.release()

    lines = command("status").stdout.splitlines()

    assert lines[0] == "stale: not recording: the recorder, PID 4711, is gone without a word"
    assert lines[2].startswith("btc_usd 100.0, ")
    assert lines[2].endswith(" d old, ticks: 1 since 2026-11-01T12:00:00+00:00")


def test_status_calls_nothing_ok_just_after_a_kill(command, database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [Tick(name, utc_now(), 100.0) for name in ("btc_usd", "eth_usd")])
    lock = RecorderLock(database.path)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START))
    lock.release()

    (first, *_) = command("status").stdout.splitlines()

    assert first == "not recording: the recorder, PID 4711, is gone without a word"


def test_status_says_how_far_the_clock_is_off(command, database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [Tick("btc_usd", utc_now() + timedelta(seconds=182), 100.0)])
    lock = RecorderLock(database.path)
    lock.acquire(Notice(4711, "external", START, 5, ("btc_usd",), "1.2.3", "recording", START, skew_s=182.0))

    lines = command("status").stdout.splitlines()

    lock.release()
    assert lines[2] == "this machine's clock is 3 min 2 s behind the exchange's"
    assert re.match(r"btc_usd 100.0, \d s old, ", lines[3])


def test_status_names_the_files_that_were_set_aside(command, database_file: Path):
    database_file.touch()
    Database(database_file).migrate()

    lines = command("status").stdout.splitlines()

    (aside,) = list_aside(database_file)
    assert f"files set aside because they can't be opened; move them away once you have checked them: {aside}" in lines


def test_status_says_what_is_wrong_with_the_database(command, database_file: Path):
    database_file.write_text("no database")

    result = command("status")

    status, _, reason = result.stdout.splitlines()
    assert status.startswith("failed: ")
    assert reason.startswith("ticks.duckdb: ")


# simulate


@pytest.mark.parametrize("number", SIGNALS)
def test_the_simulator_prints_its_address_answers_and_stops_on_a_signal(number):
    with Program("poller", "simulate", "--port", "0", "--seed", "7") as program:
        assert program.process.stdout is not None
        line = program.process.stdout.readline()
        url = line.partition("TICKWELL_DERIBIT_URL=")[2].partition(",")[0]
        faults_url = line.rstrip("\n").partition("faults at ")[2]
        server = httpx.get(f"{url}/public/get_time").headers["server"]
        faults = httpx.get(faults_url).json()
        code, out, err = program.stop(number)

    assert line.startswith("Simulating Deribit: TICKWELL_DERIBIT_URL=http://127.0.0.1:")
    assert server == f"tickwell-simulator/{VERSION}"
    assert faults == []
    assert (code, out, err) == (0, "", "")


def test_a_port_that_is_taken_ends_the_simulator_in_one_line(command):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = command("simulate", "--port", str(port))

    assert (result.exit_code, result.stdout) == (1, "")
    assert only_line(result.stderr) == f"Error: --port {port} on 127.0.0.1 can't be used: Address already in use"


@pytest.mark.parametrize("number", SIGNALS)
def test_a_stop_that_waits_for_others_says_so_and_a_second_signal_ends_it_with_the_ticks_kept(
    command, database: Database, simulator: Simulator, number
):
    settings = {"database": database.path, "deribit_url": simulator.url, "poll_seconds": 1, "indexes": "btc_usd"}
    with Program("poller", **settings) as program:
        wait_until(lambda: (told := read_notice(database.path)) and told.state == "recording")
        with held_by_a_tool(database.path) as foreign:
            wait_until(lambda: (told := read_notice(database.path)) and told.waiting >= 2)
            program.process.send_signal(number)
            wait_until(database.path.with_name("ticks.duckdb.waiting.jsonl").exists)
            began = time.monotonic()
            code, _, err = program.stop(number)
            took_s = time.monotonic() - began
    left = read_notice(database.path)
    again = command("once", **settings)

    assert (code, took_s < 5, again.exit_code) == (0, True, 0)
    assert f"PID {foreign.process.pid}" in err
    assert "waiting for up to 20 s, Ctrl+C ends that: " in err
    assert "Traceback" not in err
    assert left is not None
    assert not database.path.with_name("ticks.duckdb.waiting.jsonl").exists()
    received = {int(tick.received_at.timestamp()) for tick in stored_ticks(database.path) if tick.received_at}
    assert len(received) >= left.waiting + 2


# gaps and backfill


def at_a_slot(ago: timedelta = timedelta(0)) -> datetime:
    return datetime.fromtimestamp(int(utc_now().timestamp()) // 5 * 5, UTC) - ago


def with_an_outage(database_file: Path, source: Literal["live", "simulator"] = "simulator") -> None:
    """Ten minutes at 5 s up to now, two of them without ticks, and older history so that none is loaded."""
    now = at_a_slot()
    slots = [now - timedelta(seconds=each) for each in range(600, -1, -5)]
    out = slots[40:64]
    database = Database(database_file)
    database.migrate()
    with database.write() as cursor:
        runs.note(cursor, Run(slots[0], {"btc_usd": 5}, VERSION))
        runs.append_misses(cursor, [Miss(slot, "btc_usd", Cause.EXCHANGE_ERROR, "down", 11051) for slot in out])
        seen = [slot + timedelta(milliseconds=6) for slot in slots if slot not in out]
        ticks.append(cursor, [Tick("btc_usd", ts, 1.5, received_at=ts, source=source) for ts in seen])
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2019-01-01', NULL, 1, ?, 86400)", [source])


def test_gaps_are_listed_as_json(command, database_file: Path):
    with_an_outage(database_file)

    result = command("gaps", "--json")

    (gap,) = json.loads(result.stdout)
    start, end = datetime.fromisoformat(gap.pop("start")), datetime.fromisoformat(gap.pop("end"))
    assert end - start == timedelta(minutes=2)
    assert start.utcoffset() == timedelta(0)
    assert gap == {
        "index_name": "btc_usd",
        "slots": 24,
        "cause": "exchange error 11051",
        "state": "open",
        "healed_by": None,
    }


def test_gaps_are_listed_in_words(command, database_file: Path):
    with_an_outage(database_file)

    line = only_line(command("gaps").stdout)

    assert line.startswith("btc_usd 20")
    assert line.endswith(" UTC, slots: 24, exchange error 11051, open")


def test_a_record_without_gaps_says_so(command, database_file: Path):
    Database(database_file).migrate()

    assert (command("gaps").stdout, command("gaps", "--json").stdout) == ("no gaps\n", "[]\n")


def test_backfill_heals_and_says_so_and_the_second_time_has_nothing_to_do(
    command, database_file: Path, simulator: Simulator
):
    with_an_outage(database_file)

    first = command("backfill", "--index", "btc_usd", deribit_url=simulator.url, indexes="btc_usd")
    again = command("backfill", "--index", "btc_usd", deribit_url=simulator.url, indexes="btc_usd")

    assert only_line(first.stdout).endswith(" UTC, slots: 24, exchange error 11051, healed by simulator, 6 s")
    assert again.stdout == "nothing to heal\n"
    assert [gap["healed_by"] for gap in json.loads(command("gaps", "--json").stdout)] == ["simulator, 6 s"]


def test_backfill_after_an_outage_heals_it_without_a_recorder(command, database_file: Path, simulator: Simulator):
    began = at_a_slot(timedelta(minutes=10))
    killed = began + timedelta(minutes=5)
    database = Database(database_file)
    database.migrate()
    with database.write() as cursor:
        runs.note(cursor, Run(began, {"btc_usd": 5}, VERSION, ended_at=killed))
        seen = [began + timedelta(seconds=each, milliseconds=6) for each in range(0, 300, 5)]
        ticks.append(cursor, [Tick("btc_usd", ts, 1.5, received_at=ts, source="simulator") for ts in seen])
        cursor.execute("INSERT INTO ticks VALUES ('btc_usd', '2019-01-01', NULL, 1, 'simulator', 86400)")

    healed = command("backfill", deribit_url=simulator.url, indexes="btc_usd")

    assert only_line(healed.stdout).endswith(", recorder down, healed by simulator, 6 s")
    states = {gap["state"]: gap for gap in json.loads(command("gaps", "--json").stdout)}
    assert datetime.fromisoformat(states["healed"]["start"]) == killed
    assert datetime.fromisoformat(states["healed"]["end"]) > killed + timedelta(minutes=4)


def test_backfill_loads_the_history_of_all_indexes_beside_a_recorder(running: Running):
    with Program("poller", "backfill", **running.settings) as program:
        code, out, err = program.finish(60)

    assert (code, out) == (0, "nothing to heal\n")
    assert "Traceback" not in err
    with Database(running.database_file).read() as cursor:
        assert averages.filled(cursor, ["btc_usd", "eth_usd"]) == {"btc_usd", "eth_usd"}
    assert running.program.process.poll() is None


def test_backfill_of_an_unknown_index_names_the_known_ones(command, database_file: Path):
    with_an_outage(database_file)

    result = command("backfill", "--index", "xyz_usd", indexes="btc_usd")

    assert result.exit_code == 2
    assert "Error: --index xyz_usd: must be one of btc_usd" in result.stderr


def test_backfill_without_an_exchange_says_so_in_one_line(command, database_file: Path):
    with_an_outage(database_file)

    result = command("backfill")

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: 127.0.0.1:9: connection refused"


def test_the_simulators_history_does_not_go_into_a_file_of_real_prices(
    command, database_file: Path, simulator: Simulator
):
    with_an_outage(database_file, source="live")

    result = command("backfill", deribit_url=simulator.url)

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(
        f"Error: {database_file} has prices that are not the simulator's, the replies are of the simulator: "
    )


def test_backfill_of_a_demo_asks_a_simulator_of_its_own(command, database_file: Path):
    with_an_outage(database_file.with_name("demo.duckdb"))

    result = command("backfill", demo="true", indexes="btc_usd")

    assert only_line(result.stdout).endswith("healed by simulator, 6 s")


@pytest.mark.parametrize("arguments", [("gaps",), ("backfill",)])
def test_without_a_record_there_is_nothing_to_heal(command, database_file: Path, arguments):
    result = command(*arguments)

    assert (result.exit_code, result.stdout) == (1, "")
    assert only_line(result.stderr) == f"Error: nothing is recorded yet in {database_file}"


def stored_ticks(database_file: Path) -> list[Tick]:
    with Database(database_file).read() as cursor:
        return ticks.newest_first(cursor, "btc_usd", limit=100)


def test_a_backup_beside_a_recorder_is_verified_and_restored(command, database: Database, simulator, tmp_path: Path):
    folder, into = tmp_path / "backup", tmp_path / "restored.duckdb"
    with database.write() as cursor:  # so that no history is loaded, which would be a file for each of its days
        for name in ("btc_usd", "eth_usd"):
            averages.append(cursor, name, [(datetime(2019, 1, 1, tzinfo=UTC), 1.0)], 86_400, "simulator")
    with Program("poller", database=database.path, deribit_url=simulator.url, poll_seconds=1):
        before = wait_until(lambda: stored_ticks(database.path))

        said = [
            command("backup", str(folder)),
            command("verify", str(folder)),
            command("restore", str(folder), "--into", str(into)),
            command("verify", str(into)),
        ]

    assert [result.exit_code for result in said] == [0] * 4
    assert re.fullmatch(
        rf"backed up into {folder}: ticks [\d,]+, days [\d,]+, of which written [\d,]+\n", said[0].stdout
    )
    assert [result.stdout for result in said[1::2]] == [f"{folder} is sound\n", f"{into} is sound\n"]
    assert re.fullmatch(rf"restored into {into}: ticks [\d,]+, as of [\d-]+ [\d:]+ UTC\n", said[2].stdout)
    assert set(before) <= set(stored_ticks(into)) <= set(stored_ticks(database.path))


def test_a_path_that_is_not_there_can_not_be_verified(command, tmp_path: Path):
    result = command("verify", str(tmp_path / "btc_usd-ticks.parquet"))

    assert result.exit_code == 1
    assert result.stderr == f"Error: {tmp_path}/btc_usd-ticks.parquet can't be used: No such file or directory\n"


def test_a_lost_file_is_restored_to_its_path(command, database: Database, tmp_path: Path):
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
    command("backup", str(tmp_path / "backup"))
    refused = command("restore", str(tmp_path / "backup"))
    database.path.unlink()
    Path(f"{database.path}.wal").unlink()

    restored = command("restore", str(tmp_path / "backup"))

    assert refused.stderr.splitlines()[-1] == (
        f"Error: {database.path} exists already and was left as it is: name another file with --into"
    )
    assert (refused.exit_code, restored.exit_code) == (1, 0)
    assert stored_ticks(database.path) == [tick()]


def test_each_damage_is_one_line(command, database: Database, tmp_path: Path):
    with database.write() as cursor:
        ticks.append(cursor, [tick()])
    command("backup", str(tmp_path / "backup"))
    for file in (tmp_path / "backup/ticks").iterdir():
        file.write_text("damaged")

    result = command("verify", str(tmp_path / "backup"))

    assert result.exit_code == 1
    assert only_line(result.stdout).endswith("is not what was backed up: its SHA-256 differs")
    assert only_line(result.stderr) == f"Error: {tmp_path / 'backup'} is damaged, faults: 1"


def test_a_recorder_backs_up_once_a_day(database_file: Path, simulator: Simulator, tmp_path: Path):
    folder = tmp_path / "backup"
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1}
    Database(database_file).migrate()
    with Program("poller", "run", "--backup", str(folder), **settings) as program:
        wait_until(lambda: read_manifest(folder) is not None)
        code, _, err = program.stop(signal.SIGTERM)

    assert code == 0
    assert f"backed up into {folder}: " in err


def test_a_stop_during_a_backup_is_orderly(database_file: Path, simulator: Simulator, tmp_path: Path):
    folder, database = tmp_path / "backup", Database(database_file)
    database.migrate()
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO ticks SELECT 'btc_usd', TIMESTAMP '2026-01-01' + to_seconds(range), NULL, 1, 'simulator', 0 "
            "FROM range(5_000_000)"
        )
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1}
    with Program("poller", "run", "--backup", str(folder), **settings) as program:
        wait_until((folder / "ticks").exists)
        code, _, err = program.stop(signal.SIGTERM)

    assert code == 0
    assert "the backup under way ends with the recorder" in err
    assert read_manifest(folder) is None


# Rebuild


def test_candles_are_rebuilt_from_the_ticks(command: Callable[..., Result], database: Database):
    with database.write() as cursor:
        ticks.append(cursor, [tick(second) for second in range(0, 86_400, 60)])

    done = command("rebuild")

    assert (done.exit_code, done.stdout) == (0, "candles, gaps, smiles and surfaces rebuilt\n")
    with database.read() as cursor:
        ((minutes, hours),) = cursor.execute(
            "SELECT (SELECT count(*) FROM candles_1m), (SELECT count(*) FROM candles_1h)"
        ).fetchall()
    assert (minutes, hours) == (1439, 23)  # those of the newest tick are still open


def test_gaps_are_rebuilt_from_their_events(command: Callable[..., Result], database: Database):
    with database.write() as cursor:
        gaps.note(cursor, [Gap("btc_usd", START, START + timedelta(seconds=60), 12, 5, "unreachable", "")], START)
        cursor.execute("DELETE FROM gaps")

    command("rebuild")

    with database.read() as cursor:
        assert gap_table.unlike(cursor) == 0
        assert cursor.execute("SELECT slots FROM gaps").fetchall() == [(12,)]


def test_a_rebuild_without_a_database_is_refused(command: Callable[..., Result]):
    refused = command("rebuild")

    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].startswith("Error: nothing is recorded yet in ")


def test_a_python_without_the_libraries_says_which_one_has_them():
    status = [sys.executable, "-S", "-m", "poller", "status"]

    bare = subprocess.run(status, capture_output=True, text=True, cwd=ROOT, check=False)

    assert bare.returncode == 1
    assert only_line(bare.stderr).startswith(f"Error: {sys.executable} has no module ")
    assert ": run .venv/bin/python -m poller, or install " in bare.stderr


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "poller.commands.main", None)

    with pytest.raises(SystemExit, match=r"has no module poller\.commands\.main: "):
        runpy.run_module("poller", run_name="__main__")
