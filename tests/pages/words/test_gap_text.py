"""Gaps in words."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from pages.common.words import gap_text
from tests.pages.ledgers import NOON, gap, hour

UTC_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("gaps", "words"),
    [
        ([gap()], "1 gap of 5 min is open"),
        ([gap(state="healed")], "1 gap of 5 min is healed with 6 s averages"),
        ([gap(state="healed", resolution_s=0)], "1 gap of 5 min is healed late"),
        ([gap(), gap(900, 40)], "2 gaps of 5 min 40 s in all are open"),
        (
            [gap(state="healed"), gap(900, 60, "unfillable"), gap(1800), gap(2700, 60, "healed", resolution_s=60)],
            (
                "1 gap of 5 min is open; 1 gap of 1 min is unfillable; 1 gap of 1 min is healed with 1 min averages; "
                "1 gap of 5 min is healed with 6 s averages"
            ),
        ),
    ],
)
def test_gaps_are_described_by_state_the_open_ones_first(gaps, words):
    assert gap_text.fates(gaps) == words


def test_without_gaps_there_are_no_words():
    assert gap_text.fates([]) == ""


def test_a_gap_is_named_by_its_index_time_and_cause():
    named = gap_text.named(gap(cause="exchange error 11051"), ZoneInfo("Asia/Kathmandu"))

    assert named == "BTC / USD, 1 Nov 2026, 17:45:00 to 17:50:00, exchange error 11051"


def test_a_finding_names_the_known_share_and_the_newest_open_gaps():
    gaps = [gap(number * 900, cause=f"exchange error {number}") for number in range(5)]

    found = gap_text.finding([hour(0), hour(1, missing=300)], [*gaps, gap(9000, state="healed")], UTC_ZONE)

    assert found.startswith("79.16 % of 1,440 slots is known; 5 gaps are open: BTC / USD, 1 Nov 2026, 13:00:00 to ")
    assert "exchange error 4; BTC" in found
    assert found.endswith("exchange error 2; and 2 more.")


def test_a_finding_without_open_gaps_says_so():
    found = gap_text.finding([hour(0, healed=60)], [gap(state="healed"), gap(state="unfillable")], UTC_ZONE)

    assert found == "100 % of 720 slots is known; no gap is open."


@pytest.mark.parametrize(
    ("gaps", "words"),
    [
        ([], "no gap open, 0 unfillable"),
        ([gap(state="unfillable"), gap(state="healed")], "no gap open, 1 unfillable"),
        ([gap()], "1 gap open, the first for 2 h; 0 unfillable"),
        ([gap(3600), gap(), gap(state="unfillable")], "2 gaps open, the first for 2 h; 1 unfillable"),
    ],
)
def test_open_gaps_have_an_age(gaps, words):
    assert gap_text.waiting(gaps, NOON + timedelta(hours=2)) == words
