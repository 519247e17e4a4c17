"""Adjacent gaps that are alike are joined, and noted parts are cut out of gaps."""

from store.ledger.gap_pieces import without
from store.models import Gap
from tests.store.histories import at, in_short


def gap(start_s: int, end_s: int, index_name: str = "btc_usd") -> Gap:
    return Gap(index_name, at(start_s), at(end_s), (end_s - start_s) // 5, 5, "unreachable", "", gap=at(start_s))


def test_noted_parts_are_cut_out_of_gaps():
    noted = [gap(0, 10), gap(50, 60), gap(90, 210), gap(230, 240), gap(400, 500), gap(100, 110, "eth_usd")]

    left = without([gap(20, 100), gap(200, 300), gap(310, 320), gap(0, 20, "sol_usd"), gap(90, 120, "eth_usd")], noted)

    assert in_short(left) == [
        (20, 50, 6, "unreachable"),
        (60, 90, 6, "unreachable"),
        (210, 230, 4, "unreachable"),
        (240, 300, 12, "unreachable"),
        (310, 320, 2, "unreachable"),
        (0, 20, 4, "unreachable"),
        (90, 100, 2, "unreachable"),
        (110, 120, 2, "unreachable"),
    ]


def test_thousands_of_noted_gaps_are_not_compared_with_thousands_of_others():
    many = 4000
    noted = [gap(20 * number, 20 * number + 10) for number in range(many)]

    left = list(without([gap(20 * number, 20 * number + 20) for number in range(many)], noted))

    assert [(each.start, each.end) for each in left] == [
        (at(20 * number + 10), at(20 * number + 20)) for number in range(many)
    ]
