"""Kinds of fault, once each and side by side: no tick is lost or invented, and empty slots are explained.

`make test WHOLE=1` injects one kind of each family, `make faults` all kinds of all families, many times.
"""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.conftest import WHOLE
from tests.faults.kinds import IN_SHORT, KINDS, first_of_families
from tests.faults.parts import count_lost, may_mount
from tests.faults.result import Result
from tests.faults.runs import chosen, kills, run_all, table
from tests.faults.stage import Stage

pytestmark = pytest.mark.timeout(900)  # the faults of all families take minutes together

_AT_ONCE = 6
FAULTS = list(first_of_families(KINDS)) if WHOLE else IN_SHORT


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Result]]:
    probe = tmp_path_factory.mktemp("mount")
    possible = chosen(mounts=may_mount(probe))
    times = {fault: 1 for fault in FAULTS if fault in possible}
    found = {each.fault: each for each in run_all(tmp_path_factory.mktemp("faults"), times, _AT_ONCE)}
    yield found
    print(f"\n{table(list(found.values()))}")


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_loses_nothing_and_invents_nothing_and_is_over_by_itself(results: dict[str, Result], fault: str):
    if fault not in results:
        pytest.skip("no right to mount a file system")
    result = results[fault]

    assert result.error == ""
    assert (result.lost, result.invented, result.unexplained) == (0, 0, 0)
    assert not result.others_lost
    assert result.times > 0
    assert result.acknowledged > 0
    assert max(result.recovery_s, default=0) < 30


def test_the_table_has_a_line_for_each_fault_and_the_sum(results: dict[str, Result]):
    lines = table([replace(each, note="", error="") for each in results.values()]).splitlines()

    assert [line.split("  ")[0] for line in lines] == [
        "fault",
        *results_in_order(results),
        f"all, {len(results)} kinds",
    ]
    assert kills(list(results.values())) == sum(KINDS[name].kills > 0 for name in results)


def results_in_order(results: dict[str, Result]) -> list[str]:
    return [name for name in KINDS if name in results]


def test_a_failed_fault_shows_in_the_table(tmp_path, monkeypatch):
    def lose(stage, times):
        stage.start()
        stage.wait_for(2)
        stage.kill()
        stage._acknowledged.add(("btc_usd", 1, 1.0, 0))
        count_lost(stage, ["btc_usd"], 2, 5)

    def fail(stage, times):
        raise AssertionError("it broke")

    monkeypatch.setitem(KINDS, "file is missing", type(KINDS["file is missing"])(lose))
    monkeypatch.setitem(KINDS, "file is empty", type(KINDS["file is empty"])(fail))

    found = list(run_all(tmp_path, {"file is missing": 1, "file is empty": 1}, at_once=2))

    by_name = {each.fault: each for each in found}
    assert (by_name["file is missing"].lost, by_name["file is missing"].others_lost) == (1, 3)
    assert not replace(by_name["file is missing"], lost=0).well
    assert not by_name["file is missing"].well
    assert "file is empty: AssertionError: it broke" in table(found)
    assert "file is missing: 3 counted" in table([replace(by_name["file is missing"], note="3 counted")])


def test_proxies_of_the_shell_are_ignored(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "::1/128")
    (tmp_path / "stage").mkdir()

    with Stage(tmp_path / "stage") as stage:
        stage.start()
        stage.wait_for(1)


def test_a_fault_that_cost_others_a_slot_is_injected_once_more_alone(tmp_path, monkeypatch):
    staged = []

    def lose_once(stage, times):
        staged.append(stage.folder.name)
        stage.counted, stage.others_lost = 1, int(len(staged) == 1)

    monkeypatch.setitem(KINDS, "file is missing", type(KINDS["file is missing"])(lose_once))

    (found,) = run_all(tmp_path, {"file is missing": 1}, at_once=2)

    assert found.well
    assert staged == ["fault_0", "again_0"]
