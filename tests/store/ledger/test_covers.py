"""The averages that cover a stretch of time cut it into pieces, the finest averages first."""

import time
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from store.ledger.covers import Cover, Piece, healed, layers
from tests.store.histories import at


def one_by_one(stretches: list[tuple[datetime, datetime]], covers: list[Cover]) -> list[Piece]:
    """The same pieces, from a comparison of each cover with each stretch that is left."""
    pieces, left = [], stretches
    for steps_beside in (0, 1):
        for cover in covers:
            beside = timedelta(seconds=steps_beside * cover.resolution_s)
            start, end = cover.start - beside, cover.end + beside
            outside = []
            for first, last in left:
                inside = max(first, start), min(last, end)
                if inside[0] < inside[1]:
                    pieces.append(Piece(*inside, cover.source, cover.resolution_s))
                outside += [(first, min(last, start)), (max(first, end), last)]
            left = [(first, last) for first, last in outside if first < last]
    return sorted([*pieces, *(Piece(start, end) for start, end in left)])


def by_slot(pieces: list[Piece]) -> list[tuple[str | None, int | None]]:
    """The source and resolution that heal each second."""
    return [
        (piece.source, piece.resolution_s)
        for piece in sorted(pieces)
        for _ in range(round((piece.end - piece.start).total_seconds()))
    ]


@given(
    covers=st.lists(
        st.tuples(
            st.integers(0, 300), st.integers(1, 20), st.sampled_from(["chart", "import"]), st.sampled_from([6, 60])
        ),
        max_size=12,
    ),
    bounds=st.lists(st.integers(0, 400), max_size=10, unique=True).map(sorted),
)
def test_pieces_equal_those_of_a_comparison_of_each_with_each(covers, bounds):
    known = sorted(
        (Cover(at(first), at(first + count * step_s), source, step_s) for first, count, source, step_s in covers),
        key=lambda cover: (cover.resolution_s, cover.start, cover.source),
    )
    stretches = [(at(start), at(end)) for start, end in zip(bounds[::2], bounds[1::2], strict=False)]

    assert by_slot(list(healed(stretches, layers(known)))) == by_slot(one_by_one(stretches, known))


def test_hundreds_of_gaps_beside_thousands_of_averages_fit_into_a_lease():
    known = layers([Cover(at(60 * number), at(60 * number + 6), "chart", 6) for number in range(40_000)])
    stretches = [(at(12_000 * number), at(12_000 * number + 30)) for number in range(200)]

    started = time.perf_counter()
    pieces = [list(healed([stretch], known)) for stretch in stretches]

    assert time.perf_counter() - started < 2
    assert [len(its) for its in pieces] == [3] * 200
