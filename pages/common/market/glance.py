"""The cards of a market at a glance, each with its age and a link to its page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import streamlit as st

from pages.common.moments import SECOND
from pages.common.reads.futures import MATURITY, Priced
from pages.common.reads.overview import MarketNow, Traded
from pages.common.site import page_named
from pages.common.words import futures_text, options_text, text, volatility_text
from store.market.carry import annual_rate
from store.market.reads.explained import INTEREST
from store.market.reads.explained import MATURITY as MATURITY_FORMULA
from store.market.reads.volatility import Known

from .cards import aged, dvol_metric, dvol_period


def draw(markets: Sequence[MarketNow]) -> None:
    """Draw a row of cards for each currency; no card of what is not recorded."""
    for market in markets:
        priced, traded = market.futures.its, market.traded
        if market.dvol is None and priced is None and traded is None:
            continue
        with st.grid(4, min_column_width=160):
            if market.dvol is not None:
                _dvol(market, market.dvol)
            if priced is not None:
                _basis(market, priced)
                _funding(market, priced)
            if traded is not None:
                _put_call(market, traded)


def _dvol(market: MarketNow, its: Known) -> None:
    with _card(market, "dvol", "volatility"):
        dvol_metric(f"{market.currency} DVOL", its, market.day_before, how=volatility_text.DVOL_IS)
        st.caption(aged(its.ts, dvol_period()))


def _basis(market: MarketNow, its: Priced) -> None:
    with _card(market, "basis", "futures"):
        st.metric(
            f"{market.currency} basis, {text.span(MATURITY)}",
            futures_text.percent(its.maturity_basis),
            help=MATURITY_FORMULA[0].formula,
        )
        st.caption(f"Annual rate, simple  \n{aged(its.snapshot.ts, market.futures.standing.period)}")


def _funding(market: MarketNow, its: Priced) -> None:
    perpetual, _ = its.perpetual or (None, None)
    now, last = (perpetual and perpetual.current_funding, perpetual and perpetual.funding_8h)
    with _card(market, "funding", "futures"):
        st.metric(
            f"{market.currency} funding, 8 h",
            _annual(last),
            help=futures_text.FUNDING_OF_8H,
        )
        st.caption(f"Annual rate; now {_annual(now)}  \n{aged(its.snapshot.ts, market.futures.standing.period)}")


def _put_call(market: MarketNow, its: Traded) -> None:
    with _card(market, "put-call", "options"):
        st.metric(
            f"{market.currency} put / call",
            options_text.ratio(its.by_interest),
            help=f"{INTEREST[1].formula}, over all expiries; by volume of 24 h below",
        )
        st.caption(f"By volume {options_text.ratio(its.by_volume)}  \n{aged(its.ts, its.period_s * SECOND)}")


def _annual(funding_8h: float | None) -> str:
    return futures_text.percent(None if funding_8h is None else annual_rate(funding_8h))


@contextmanager
def _card(market: MarketNow, what: str, page: str) -> Iterator[None]:
    """A card with a link to the page that says more."""
    with st.container(border=True, height="stretch", key=f"card-{market.currency}-{what}"):
        yield
        its = page_named(page)
        st.page_link(its.path, label=its.title, icon=its.icon, query_params={"currency": market.currency})
