"""The choice of a currency, and what stands on a page without a market, or of one that is not recorded any more."""

from collections.abc import Callable

import streamlit as st

from pages.common import access
from pages.common.choices import one_of
from pages.common.failed import empty
from pages.common.reads.recorded import offered_currencies

_KEY = "currency"
"""Of the widget on each page, and its name in the address. Streamlit keeps its value when the page changes."""


def choose_currency(read: Callable[[], list[str]]) -> str:
    """Draw the choice of one of the currencies that `read` reads, and return it; empty without a market."""
    currencies = offered_currencies(read)
    if not currencies:
        return ""
    if st.session_state.get(_KEY) not in {None, *currencies}:  # of a page that offers others
        st.session_state[_KEY] = currencies[0]
    return one_of("Currency", currencies, currencies[0], key=_KEY)


def is_left_out(currency: str) -> bool:
    """Is a currency not recorded any more? Only what was recorded before is there."""
    return currency not in access.settings().markets


def tell_if_left_out(currency: str) -> None:
    if is_left_out(currency):
        st.caption(f"{currency} is not in TICKWELL_MARKETS: this is what was recorded before.")


def no_market(currencies: list[str]) -> None:
    """Say why there is no market; draw the choices anew if there is one by now."""
    if currencies:
        st.rerun()
    why = access.settings().markets_left_out or "TICKWELL_MARKETS=none"
    empty(f"No market is recorded: {why}.", ":material/block:")
