"""With several recorders a slot is due once, if it was due for any of them."""

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from store.ledger.due import Stretch
from store.ledger.recorders import union
from tests.conftest import START
from tests.store.histories import at
from tests.support.examples import examples

FEEDS = ("btc_usd", "eth_usd", "options/BTC")
SECONDS = 60


@st.composite
def of_recorders(draw: st.DrawFn) -> list[Stretch]:
    """The stretches of some recorders: those of each follow one another, each with its feeds and its period."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        bounds = sorted(draw(st.sets(st.integers(0, SECONDS), min_size=2, max_size=6)))
        for start, end in pairwise(bounds):
            feeds = draw(st.lists(st.sampled_from(FEEDS), unique=True).map(tuple))
            up, cut_short = draw(st.sampled_from([(True, False), (True, True), (False, False)]))
            found.append(Stretch(at(start), at(end), draw(st.sampled_from([1, 2, 5])), feeds, up, cut_short))
    return found


def deciding(stretches: list[Stretch], feed: str, second: int) -> tuple[int, bool] | None:
    """The period and whether the feed was up in a second, from a look at all stretches."""
    its = [each for each in stretches if feed in each.feeds and each.start <= at(second) < each.end]
    up = sorted((each.start, each.poll_seconds) for each in its if each.up)
    down = sorted((each.start, each.poll_seconds) for each in its if not each.up)
    if up:
        return up[0][1], True
    return (down[-1][1], False) if down else None


@examples(300)
@given(of_recorders())
def test_each_second_of_each_feed_is_as_a_look_at_all_recorders_shows(stretches):
    found = union(stretches)

    for feed in FEEDS:
        its = [each for each in found if feed in each.feeds]
        assert its == sorted(its, key=lambda each: each.start)
        for second in range(SECONDS):
            now = [each for each in its if each.start <= at(second) < each.end]
            assert [(each.poll_seconds, each.up) for each in now] == [
                each for each in [deciding(stretches, feed, second)] if each is not None
            ]
        for before, after in pairwise(its):
            assert before.end < after.start or (before.poll_seconds, before.up) != (after.poll_seconds, after.up)


@examples(100)
@given(of_recorders())
def test_slots_are_due_once(stretches):
    same = [Stretch(each.start, each.end, 5, each.feeds, each.up, each.cut_short) for each in stretches]

    found = union(same)

    for feed in FEEDS:
        due = [slot for each in found if feed in each.feeds for slot in each.slots]
        assert sorted(due) == sorted({slot for each in same if feed in each.feeds for slot in each.slots})
        assert len(due) == len(set(due))


def test_a_stretch_was_cut_short_if_no_other_recorder_went_on():
    killed = Stretch(START, at(10), 5, FEEDS, up=True, cut_short=True)
    other = Stretch(at(5), at(20), 5, FEEDS[:1], up=True)

    found = union([killed, other])

    assert [(each.feeds, each.end - START, each.cut_short) for each in found] == [
        (FEEDS[:1], timedelta(seconds=20), False),
        (FEEDS[1:], timedelta(seconds=10), True),
    ]
