"""Times as clients write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.instants import from_text
from store.instants import in_iso

from .conftest import detail

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
SECOND_DAY = datetime(1, 1, 2)  # noqa: DTZ001 hypothesis wants it without a zone


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-01T12:00:00Z",
        "2026-11-01T12:00:00",
        "2026-11-01 12:00",
        "2026-11-01T12:00:00.000+00:00",
        "2026-11-01T07:00:00-05:00",
        "1793534400",
        "1793534400000",
    ],
)
def test_an_instant_is_iso_8601_or_a_number_and_utc_unless_it_says_otherwise(text):
    assert from_text(text) == NOON
    assert from_text(text).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        *("yesterday", "", "-1", "1e9", "12:00", "2026-13-01", "1793534400\x00", "١٢"),
        *("99999999999999999", "100000000000001"),
        *("0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_any_other_text_is_refused_in_one_line(client, database, text):
    reply = client.get("/candles", params={"ticker": "btc_usd", "start": text})

    assert detail(reply) == (
        f"start = {text!r}: must be ISO 8601, such as 2026-11-01T12:00:00Z, or seconds or milliseconds since 1970"
    )


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=2))), min_value=SECOND_DAY))
def test_any_instant_survives_the_way_there_and_back(instant):
    assert from_text(in_iso(instant.astimezone(UTC))) == from_text(instant.isoformat()) == instant
