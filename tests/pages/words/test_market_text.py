"""The tables that Quality has of a market."""

from datetime import UTC

from pages.common.words import market_text


def test_a_feed_without_an_age_has_an_empty_cell():
    loading = {"state": "loading", "age_s": 9.0, "last": "2026-11-01T12:00:00+00:00"}
    unknown = {"state": "late", "age_s": None, "last": None, "reason": "no reply in time"}

    table = market_text.feeds({"dvol/BTC": loading, "futures/BTC": unknown}, UTC)

    assert table["Age"] == ["", ""]
    assert table["Complete to, UTC"] == ["2026-11-01 12:00:00", ""]
