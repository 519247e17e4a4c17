"""One index or one method fails, and everything else goes on."""

import time
from collections.abc import Sequence
from typing import Any

from poller.simulator.faults import Fault
from tests.faults.parts import no_slot_lost, remove, with_outage
from tests.faults.stage import INDEXES, Stage
from tests.faults.tls import Front

FAILING, *OTHERS = INDEXES
_SLOTS = 20
_SLOTS_IN_SHORT = 4

# A reply that trickles delays a chart until the client gives up; another index comes after that.
_HEALED_WITHIN_S = 150
_HEALED_WITHIN_S_IN_SHORT = 45


def one_index(stage: Stage, times: int, **fault: Any) -> None:
    """Every reply about one index is faulty for a while."""
    for _ in range(times):
        _begin(stage, Fault(index_name=FAILING, **fault))
        with no_slot_lost(stage, OTHERS):
            stage.wait_for(_slots(stage), names=OTHERS)
            _over(stage, OTHERS)
        stage.stop()


def one_method(method: str, stage: Stage, times: int, **fault: Any) -> None:
    """Every reply of one method other than the price's is faulty for a while."""
    for _ in range(times):
        _begin(stage, Fault(method=method, **fault))
        with no_slot_lost(stage, INDEXES):
            stage.wait_for(_slots(stage))
            _over(stage, INDEXES)
        stage.stop()


def chart_of_one_index(stage: Stage, times: int) -> None:
    """The chart of one index fails for ever."""
    for _ in range(times):
        _begin(stage, Fault("error", index_name=FAILING, method="get_index_chart_data", status=500))
        with no_slot_lost(stage, INDEXES):
            stage.wait_until_healed(_healed_within_s(stage), OTHERS)
            stage.wait_for(_slots(stage))
        stage.stop()


def delisted(stage: Stage, times: int) -> None:
    """The exchange no longer publishes an index with ticks: from the start, or from a later moment on."""
    for _ in range(times):
        _begin(stage, Fault("delisted", index_name=FAILING))
        with no_slot_lost(stage, OTHERS):
            stage.wait_until_healed(_healed_within_s(stage), OTHERS)
            stage.simulator.faults.clear()
            stage.wait_for(2)
            stage.simulator.faults.add(Fault("delisted", index_name=FAILING))
            stage.wait_for(_slots(stage), names=OTHERS)
        stage.stop()


def tls(stage: Stage, times: int) -> None:
    """The connection breaks in the middle of each reply about one index, in turn with a spoilt record and without."""
    for _ in range(times):
        with Front(stage.simulator, stage.folder.with_name(f"{stage.folder.name}.pem")) as front:
            stage.url, stage.certificate = front.url, str(front.certificate)
            front.fails = FAILING
            _begin(stage)
            with no_slot_lost(stage, OTHERS):
                stage.wait_for(_slots(stage), names=OTHERS)
                assert front.broken > 1
                front.fails = None
                _over(stage, OTHERS)
            stage.stop()


def _begin(stage: Stage, *faults: Fault) -> None:
    """Start on a file with a gap to heal, while something fails."""
    remove(stage)
    with_outage(stage)
    for fault in faults:
        stage.simulator.faults.add(fault)
    stage.injected += 1
    stage.start()
    stage.wait_for(1, timeout_s=20, names=OTHERS)


def _over(stage: Stage, others: Sequence[str]) -> None:
    """The failure ends: all indexes record, and the gaps of the other indexes heal, unless they did before."""
    stage.simulator.faults.clear()
    began = time.monotonic()
    stage.wait_for(1)
    stage.recovery_s.append(time.monotonic() - began)
    stage.wait_until_healed(_healed_within_s(stage), others)


def _slots(stage: Stage) -> int:
    return _SLOTS if stage.long else _SLOTS_IN_SHORT


def _healed_within_s(stage: Stage) -> float:
    return _HEALED_WITHIN_S if stage.long else _HEALED_WITHIN_S_IN_SHORT
