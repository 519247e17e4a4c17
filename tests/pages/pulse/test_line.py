"""The browser learns everything by which it judges the line without the server."""

import pytest

from pages.common.pulse.line import Line, line_of
from tests.support.notices import RECORDING


@pytest.mark.parametrize(("refreshed_every_s", "silent_after_s"), [(1, 30), (5, 30), (20, 60)])
def test_the_server_counts_as_silent_after_half_a_minute_and_three_refreshes(refreshed_every_s, silent_after_s):
    assert Line().told(0, refreshed_every_s, "Times are UTC.")["silent_after_s"] == silent_after_s


@pytest.mark.parametrize(
    ("words", "age_s", "parts"),
    [
        ("recording, 2 s old", 2.9, ("recording, ", "")),
        ("recording, 3 h old; eth_usd: refused", 10_900, ("recording, ", "; eth_usd: refused")),
        ("starting, no data yet", None, ("starting, no data yet", "")),
    ],
)
def test_the_words_are_parted_around_the_age(words, age_s, parts):
    line = line_of(RECORDING, words, age_s)

    assert (line.before, line.after) == parts
