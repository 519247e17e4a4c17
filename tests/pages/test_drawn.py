"""A figure is built once for all readers, and kept no longer than what it shows."""

import gc
import weakref
from collections.abc import Callable
from dataclasses import dataclass

from pages.common.drawn import drawn_once


@dataclass(frozen=True)
class Source:
    """What was read; equal ones are not the same."""

    rows: int = 1


def counted() -> tuple[list[int], Callable[[], int]]:
    """The numbers of what was built, and what builds."""
    built: list[int] = []

    def build() -> int:
        built.append(len(built))
        return built[-1]

    return built, build


def test_what_was_built_of_a_source_serves_every_reader():
    source, (built, build) = Source(), counted()

    assert [drawn_once("chart", source, "UTC", build) for _ in range(3)] == [0, 0, 0]
    assert built == [0]


def test_another_source_key_or_zone_is_built_anew():
    source, other, (built, build) = Source(), Source(), counted()

    drawn_once("chart", source, "UTC", build)
    drawn_once("chart", other, "UTC", build)
    drawn_once("table", source, "UTC", build)
    drawn_once("chart", source, "CET", build)

    assert built == [0, 1, 2, 3]
    assert drawn_once("chart", source, "UTC", build) == 0


def test_what_was_built_goes_with_its_source():
    source = Source()
    built = weakref.ref(drawn_once("chart", source, None, Source))

    assert built() is not None
    del source
    gc.collect()
    assert built() is None
