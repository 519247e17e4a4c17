"""Faults of the exchange, and of the clocks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from poller.simulator.faults import Fault
from tests.conftest import wait_until
from tests.faults.parts import MINUTE, recording, remove, told, with_outage
from tests.faults.stage import Stage


def fails(kind: str, stage: Stage, times: int, **fields: Any) -> None:
    for _ in range(times):
        with recording(stage), stage.injected_once():
            stage.exchange_fails(kind, **fields)


def bad_prices(stage: Stage, times: int) -> None:
    for _ in range(times):
        with recording(stage):
            for value in ("nan", "null", "negative", "zero", "text", "missing"):
                with stage.injected_once():
                    stage.exchange_fails("bad_price", seconds=1, value=value)


def prices_jump(stage: Stage, times: int) -> None:
    stage.factors.add(1.5)
    fails("jump", stage, times, factor=1.5)


def slow_for_one_slot(stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.simulator.faults.add(Fault("slow", method="get_index_price", delay_s=1.2, times=1))
                wait_until(lambda: not stage.simulator.faults.listing())


def not_there_at_the_start(stage: Stage, times: int) -> None:
    for _ in range(times):
        with stage.injected_once():
            stage.simulator.stop()
            stage.start()
            told(stage, "unreachable")
            stage.simulator.start()
        stage.stop()


def clock_stands_still(stage: Stage, times: int) -> None:
    """The exchange repeats a reply: the same price of the same instant."""
    for _ in range(times):
        with recording(stage), stage.injected_once():
            stage.simulator._exchange._clock = partial(datetime.fromtimestamp, stage._exchange_time().timestamp(), UTC)
            told(stage, "rejected reply")
            stage.simulator._exchange._clock = stage._exchange_time


def charts(change: Callable[[list[Any]], list[Any]], stage: Stage, times: int) -> None:
    """Charts have undocumented points while they heal an outage."""
    answer = stage.simulator._exchange._result

    def changed(method: str, *more: Any) -> Any:
        result = answer(method, *more)
        return change(result) if method == "get_index_chart_data" else result

    stage.simulator._exchange._result = changed  # type: ignore[assignment,method-assign]
    heal(stage, times)


def another_step(stage: Stage, times: int) -> None:
    stage.simulator.faults.add(Fault("other_step", window="1h", step_s=60))
    heal(stage, times)


def heal(stage: Stage, times: int) -> None:
    """An outage of five minutes, some time ago, is healed."""
    for _ in range(times):
        remove(stage)
        with_outage(stage)
        with recording(stage), stage.injected_once():
            stage.wait_until_healed()


def week_offline(stage: Stage, times: int) -> None:
    for _ in range(times):
        remove(stage)
        with_outage(stage, ago=timedelta(days=7), lasting=timedelta(days=7) - MINUTE)
        with recording(stage), stage.injected_once():
            stage.wait_until_healed()


def cut_off(points: list[Any]) -> list[Any]:
    return points[len(points) // 2 :]


def repeated(points: list[Any]) -> list[Any]:
    return [*points, *points[-20:]]


def out_of_order(points: list[Any]) -> list[Any]:
    return points[::-1]


def clock_set(seconds: float, stage: Stage, times: int) -> None:
    with recording(stage):
        for _ in range(times):
            with stage.injected_once():
                stage.set_clocks(recorder_s=seconds)
            stage.wait_for(2)
            with stage.injected_once():
                stage.set_clocks(recorder_s=-seconds)


def summer_time_ends(stage: Stage, times: int) -> None:
    """Local time shows an hour twice, in a zone with summer time."""
    for _ in range(times):
        stage.start(zone="Europe/Berlin")
        with stage.injected_once():
            stage.wait_for(6)
        stage.stop()
