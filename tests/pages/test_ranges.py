"""The choice of a range, and the address that it leads to."""

from streamlit.testing.v1 import AppTest


def overtaken() -> None:
    """A page whose address has an exact range, and whose widget brings what it was drawn with, as if it were new."""
    from datetime import UTC, datetime

    import streamlit as st

    from pages.common import address, ranges

    address.arrive("history")
    address.keep(range="Exact", start="2026-11-01T12:00:00Z", end="2026-11-01T13:00:00Z")
    span = ranges.choose_view(["6h", "1d"], "1d").span
    ranges.note_shown(datetime(2026, 11, 1, 6, tzinfo=UTC), datetime(2026, 11, 1, 12, tzinfo=UTC))
    ranges.picked(f"range {st.session_state['range pickers']}", "1d", span)
    st.write(span)


def test_a_choice_that_comes_as_it_was_drawn_leads_nowhere():
    page = AppTest.from_function(overtaken).run()

    assert not page.exception
    assert page.markdown[0].value == "Exact"
    assert page.query_params["start"] == "2026-11-01T12:00:00Z"
    assert page.query_params["end"] == "2026-11-01T13:00:00Z"
