"""The collections that were asked for last are kept."""

from store.ledger.recent import Recent


class Maker:
    """Makes lists of `length` items, and counts the lists."""

    def __init__(self, length: int = 1) -> None:
        self.length = length
        self.made = 0

    def __call__(self) -> list[int]:
        self.made += 1
        return [self.made] * self.length


def test_a_kept_collection_is_not_made_again():
    recent, make = Recent[list[int]](), Maker()

    assert [recent.get(key, make) for key in ("a", "b", "a")] == [[1], [2], [1]]


def test_the_collection_asked_for_longest_ago_makes_room():
    recent, make = Recent[list[int]](most=2), Maker()
    for key in ("a", "b", "a", "c"):
        recent.get(key, make)

    assert [recent.get(key, make) for key in ("a", "c", "b")] == [[1], [3], [4]]


def test_a_collection_that_is_too_long_is_not_kept():
    recent, make = Recent[list[int]](most_items=2), Maker(length=3)

    assert [recent.get("a", make) for _ in range(2)] == [[1, 1, 1], [2, 2, 2]]
