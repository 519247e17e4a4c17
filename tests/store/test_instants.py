"""Times are read as they are written, and any other text is refused."""

from datetime import UTC

import pytest

from store.instants import from_text
from tests.conftest import START


@pytest.mark.parametrize(
    "written",
    ["2026-11-01T12:00:00Z", "2026-11-01T12:00Z", "2026-11-01 12:00", "2026-11-01T12", "2026-11-01T13:00+01:00"],
)
def test_a_time_without_a_zone_is_utc(written):
    at = from_text(written)

    assert at == START
    assert at.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    ["", "yesterday", "1793534400", "2026-13-01", "0001-01-01T00:00+14:00", "9999-12-31T23:59-14:00"],
)
def test_a_text_that_is_no_time_is_refused(written):
    with pytest.raises(ValueError, match=r"Invalid isoformat|month must be|out of range"):
        from_text(written)
