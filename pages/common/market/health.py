"""The parts of Quality that a market has: how its feeds are, and its self-checks."""

import streamlit as st

from pages.common.reads.market import MarketHealth
from pages.common.words import market_text, text


def draw(market: MarketHealth) -> None:
    """Draw the self-checks and the feeds; nothing without a market."""
    if market.checks:
        self_checks(market)
    if market.feeds:
        st.header("Feeds of the market", anchor=False)
        st.dataframe(market_text.feeds(market.feeds, text.zone()), hide_index=True)


def self_checks(market: MarketHealth) -> None:
    st.header("Checks", anchor=False)
    st.markdown(market_text.headline(market.checks))
    st.dataframe(market_text.newest_checks(market.checks, market.at), hide_index=True)
    if market.troubles:
        st.caption("Notes and warnings of these days")
        st.dataframe(market_text.past_checks(market.troubles, text.zone()), hide_index=True)
    st.caption("Each check compares two numbers that must agree. It does not say which one is wrong.")
