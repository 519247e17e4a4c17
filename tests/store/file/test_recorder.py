"""Only one recorder at a time records into a file, and every process can read its state."""

import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.errors import RecorderError, StoreError
from store.file.locks import FileLock, beside
from store.file.recorder import Notice, RecorderLock, read_notice, recorded_elsewhere
from tests.conftest import START, wait_until
from tests.store.processes import CONTAINER, line, start, start_in_container
from tests.support.examples import examples

needs_containers = pytest.mark.skipif(
    shutil.which(CONTAINER[0]) is None or subprocess.run([*CONTAINER, "true"], check=False).returncode != 0,
    reason="processes can't be numbered anew here",
)

NOTICE = Notice(
    pid=os.getpid(),
    mode="external",
    since=START,
    poll_seconds=5,
    indexes=("btc_usd", "eth_usd"),
    version="0.1.0",
    state="recording",
    state_since=START + timedelta(microseconds=1),
)
TROUBLED = replace(
    NOTICE,
    state="unreachable",
    detail='connection refused: "no route",\nsaid the ☎',
    retry_at=START + timedelta(seconds=8),
    waiting=3,
    failing={"eth_usd": "rejected reply, no price"},
    backfill="loading history, 5 of 12",
)


def text_file(database_file: Path) -> Path:
    return beside(database_file, "recorder")


@pytest.fixture
def lock(database_file):
    lock = RecorderLock(database_file)
    yield lock
    lock.release()


def test_a_second_recorder_is_told_who_records_and_what_to_do(database_file):
    with start("record", database_file) as first, start("record", database_file) as second:
        said = {line(first), line(second)}
        pids = {first.process.pid, second.process.pid}

    refusal = next(words for words in said if words != "recording")
    who = re.fullmatch(
        rf"refused: {re.escape(str(database_file))} is already being recorded by PID (\d+) "
        r"\(external, since 2026-11-01 12:00:00 UTC\): stop that recorder first, or give this one another file in "
        r"TICKWELL_DATABASE",
        refusal,
    )
    assert "recording" in said
    assert who is not None
    assert int(who[1]) in pids


def test_a_killed_recorder_is_seen_as_gone_at_once_and_another_takes_its_place(database_file, lock):
    with start("record", database_file) as program:
        line(program)
        before = read_notice(database_file)
        program.process.send_signal(signal.SIGKILL)
        program.process.wait()

        after = read_notice(database_file)

    assert before is not None
    assert (before.pid, before.alive) == (program.process.pid, True)
    assert recorded_elsewhere(before)
    assert after == replace(before, alive=False)
    assert not recorded_elsewhere(after)
    lock.acquire(NOTICE)
    assert read_notice(database_file) == NOTICE


@needs_containers
def test_a_recorder_in_another_container_counts_as_alive_until_it_is_killed_and_is_named_by_its_host(database_file):
    with start_in_container("record", database_file) as program:
        line(program)
        alive = read_notice(database_file)
        program.process.kill()
        program.process.wait()

        after = wait_until(lambda: None if (notice := read_notice(database_file)) and notice.alive else notice)

    assert alive is not None
    assert (alive.pid, alive.alive, alive.host) == (1, True, socket.gethostname())
    assert recorded_elsewhere(alive)
    assert after == replace(alive, alive=False)


@needs_containers
def test_two_containers_tell_each_other_apart_although_both_are_process_number_1(database_file, lock):
    with start_in_container("record", database_file) as recorder:
        line(recorder)
        with start_in_container("look_who_records", database_file) as other:
            words = line(other)
        with pytest.raises(RecorderError) as caught:
            lock.acquire(NOTICE)

    who = f"PID 1 on {socket.gethostname()}"
    assert words == f"recorded by another process, {who}: recording, no data yet"
    assert f"is already being recorded by {who} (external, since " in str(caught.value)


def test_where_processes_have_one_numbering_the_host_is_not_named(database_file, lock, monkeypatch):
    def refuse(_: Path) -> Path:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "readlink", refuse)

    lock.acquire(NOTICE)

    assert read_notice(database_file) == NOTICE


def test_a_recorder_without_a_notice_yet_refuses_others_too(database_file, lock):
    lock.acquire(NOTICE)
    text_file(database_file).write_text("")

    with pytest.raises(RecorderError, match="is already being recorded by another process: stop that recorder first"):
        RecorderLock(database_file).acquire(NOTICE)


def test_a_recorder_starts_although_readers_keep_checking(database_file, lock):
    stop = threading.Event()
    looks: list[Notice | None] = []

    def look() -> None:
        while not stop.is_set():
            looks.append(read_notice(database_file))

    lock.acquire(NOTICE)
    lock.release()
    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    wait_until(lambda: looks)

    for _ in range(20):
        lock.acquire(NOTICE)
        lock.release()

    stop.set()
    for looker in lookers:
        looker.join()
    assert {look and look.pid for look in looks} == {NOTICE.pid}


def test_two_readers_that_check_at_once_are_not_taken_for_a_recorder(database_file, lock):
    lock.acquire(NOTICE)
    lock.release()
    somebody_who_looks = FileLock(text_file(database_file))
    looking = somebody_who_looks.try_acquire(shared=True)

    notice = read_notice(database_file)

    somebody_who_looks.release()
    assert looking
    assert notice == replace(NOTICE, alive=False)


def test_a_file_without_a_notice_was_never_recorded(database_file):
    notice = read_notice(database_file)

    assert notice is None
    assert not recorded_elsewhere(notice)
    assert not text_file(database_file).exists()


def test_a_path_below_a_file_was_never_recorded(tmp_path):
    (tmp_path / "file").touch()

    assert read_notice(tmp_path / "file/ticks.duckdb") is None


@pytest.mark.parametrize("notice", [NOTICE, TROUBLED])
def test_a_notice_comes_back_as_it_was(database_file, lock, notice):
    lock.acquire(notice)

    assert read_notice(database_file) == notice


def test_the_newest_notice_is_read_whether_it_is_shorter_or_longer(database_file, lock):
    lock.acquire(NOTICE)
    seen = []

    for notice in (TROUBLED, NOTICE, replace(NOTICE, state="stopped")):
        lock.publish(notice)
        seen.append(read_notice(database_file))

    assert seen == [TROUBLED, NOTICE, replace(NOTICE, state="stopped")]


def test_the_text_is_one_json_value_whatever_was_there_before(database_file, lock):
    lock.acquire(TROUBLED)

    lock.publish(NOTICE)

    assert json.loads(text_file(database_file).read_text())["state"] == "recording"


def test_a_released_lock_keeps_the_last_notice_of_its_recorder(database_file, lock):
    lock.acquire(NOTICE)
    lock.publish(replace(NOTICE, state="stopped"))

    lock.release()

    assert read_notice(database_file) == replace(NOTICE, state="stopped", alive=False)


def test_nothing_is_written_when_nothing_changed(database_file, lock):
    lock.acquire(NOTICE)
    os.utime(text_file(database_file), ns=(0, 0))

    lock.publish(replace(NOTICE))
    unchanged = text_file(database_file).stat().st_mtime_ns
    lock.publish(TROUBLED)
    changed = text_file(database_file).stat().st_mtime_ns

    assert unchanged == 0
    assert changed > 0


def test_a_recorder_that_comes_back_replaces_the_notice_of_another_one(database_file, lock):
    lock.acquire(NOTICE)
    lock.release()
    with start("record", database_file) as program:
        line(program)

    lock.acquire(NOTICE)

    assert read_notice(database_file) == NOTICE


def test_the_recorder_of_this_process_is_not_elsewhere(database_file, lock):
    lock.acquire(NOTICE)

    assert not recorded_elsewhere(read_notice(database_file))


@examples(30)
@given(data=st.data())
def test_a_torn_text_is_no_notice(tmp_path_factory, data):
    database_file = tmp_path_factory.mktemp("torn") / "ticks.duckdb"
    lock = RecorderLock(database_file)
    lock.acquire(TROUBLED)
    lock.release()
    whole = text_file(database_file).read_bytes()

    text_file(database_file).write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])

    assert read_notice(database_file) is None


def test_the_rest_of_a_longer_text_is_ignored(database_file, lock):
    lock.acquire(NOTICE)
    with text_file(database_file).open("a") as text:
        text.write('est of a longer text", "failing": {}}')

    assert read_notice(database_file) == NOTICE


@pytest.mark.parametrize(
    "content", ["", "  ", "nonsense", "7", "null", "[]", '"since"', "{}", '{"since": 7}', "\udcff\udcfe"]
)
def test_another_text_is_not_read_as_a_notice(database_file, content):
    text_file(database_file).write_bytes(content.encode(errors="surrogateescape"))

    assert read_notice(database_file) is None


def test_unknown_fields_of_a_newer_versions_notice_are_ignored(database_file, lock):
    lock.acquire(NOTICE)
    lock.release()
    newer = json.loads(text_file(database_file).read_text()) | {"mood": "sunny", "version": "9.0.0"}
    text_file(database_file).write_text(json.dumps(newer))

    assert read_notice(database_file) == replace(NOTICE, version="9.0.0", alive=False)


def test_missing_fields_of_an_older_versions_notice_have_defaults(database_file, lock):
    lock.acquire(TROUBLED)
    lock.release()
    older = json.loads(text_file(database_file).read_text())
    del older["failing"], older["waiting"], older["backfill"], older["host"], older["numbering"]
    text_file(database_file).write_text(json.dumps(older))

    assert read_notice(database_file) == replace(TROUBLED, failing={}, waiting=0, backfill="", alive=False)


def test_a_notice_that_cannot_be_read_is_a_store_error(database_file):
    text_file(database_file).mkdir()

    with pytest.raises(StoreError, match=r"ticks\.duckdb\.recorder can't be read: Is a directory$"):
        read_notice(database_file)


def test_the_folder_is_made_for_the_first_recorder(tmp_path):
    lock = RecorderLock(tmp_path / "new/folder/ticks.duckdb")

    lock.acquire(NOTICE)
    notice = read_notice(tmp_path / "new/folder/ticks.duckdb")
    lock.release()

    assert notice == NOTICE


def test_a_folder_that_cannot_be_made_is_a_store_error(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match=r"/file can't be made: File exists$"):
        RecorderLock(tmp_path / "file/ticks.duckdb").acquire(NOTICE)


def test_a_recorder_with_a_full_disk_goes_on_and_publishes_once_there_is_room(database_file, lock):
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, unlimited[1]))  # no file may grow
    try:
        lock.acquire(NOTICE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    unsaid = read_notice(database_file)

    lock.publish(NOTICE)

    assert unsaid is None
    assert read_notice(database_file) == NOTICE
