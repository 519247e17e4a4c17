"""The cards of futures as of an instant, each with its change since a moment to compare with."""

import math
from datetime import datetime

import streamlit as st

from pages.common.reads.futures import MATURITY, Before, FuturesAt, Priced, perpetual_name
from pages.common.words import futures_text, text

from .cards import aged, card


def draw(found: FuturesAt, its: Priced, at: datetime | None) -> None:
    """Draw the perpetual's mark, funding, the basis at a constant maturity, and open interest.

    Args:
        found: what the page shows.
        its: the shown snapshot.
        at: the instant that the reader chose; None for now.
    """
    with st.grid(4, min_column_width=160):
        with card("mark", futures_text.how_mark()):
            _mark(found, its, at)
        with card("funding", futures_text.how_funding(found.week)):
            _rates(found, its)
        with card("maturity", futures_text.how_maturity(its.snapshot, MATURITY)):
            _maturity(found, its)
        with card("open-interest", futures_text.how_open_interest()):
            _open_interest(found, its)


def _mark(found: FuturesAt, its: Priced, at: datetime | None) -> None:
    """The perpetual's mark, its premium and the age of the snapshot."""
    perpetual, carry = its.perpetual or (None, None)
    price = perpetual and perpetual.mark_price
    _changed(
        perpetual_name(found.currency),
        futures_text.price(price),
        futures_text.moved(price, _perpetual_mark(found.compared)),
        found.compared,
    )
    premium = futures_text.small(carry and carry.basis)
    st.caption(
        f"Premium {premium}, index {futures_text.price(its.index_price)}  \n"
        f"{aged(its.snapshot.ts, found.standing.period, at)}"
    )


def _perpetual_mark(before: Before | None) -> float | None:
    both = before and before.its and before.its.perpetual
    return both[0].mark_price if both else None


def _changed(label: str, value: str, change: str | None, before: Before | None) -> None:
    """A number, with its change since the moment to compare with if both are known."""
    ago = before and text.span(before.ago)
    st.metric(
        label,
        value,
        change,
        delta_color="off",
        delta_arrow="auto" if change and change[0] in "+-" else "off",
        delta_description=None if change is None else f"in {ago}",
    )


def _rates(found: FuturesAt, its: Priced) -> None:
    """The funding of the last week, and the exchange's rates of this moment and of 8 hours."""
    st.metric("Funding, 7 d, a year", futures_text.percent(found.week.annual))
    perpetual, _ = its.perpetual or (None, None)
    lines = [futures_text.hours_known(found.week)]
    if perpetual is not None:
        lines.append(f"Now {futures_text.rate_of_8h(perpetual.current_funding)}")
        lines.append(f"Last 8 h {futures_text.rate_of_8h(perpetual.funding_8h)}")
    st.caption("  \n".join(lines))


def _maturity(found: FuturesAt, its: Priced) -> None:
    before = found.compared and found.compared.its
    annual, then = its.maturity_basis, before.maturity_basis if before else None
    _changed(
        f"Basis, {text.span(MATURITY)}, a year",
        futures_text.percent(annual),
        futures_text.points(annual, then),
        found.compared,
    )
    around = futures_text.around(its.snapshot, MATURITY)
    st.caption(f"Between {around[0]} and {around[1]}" if around else f"No futures around {text.span(MATURITY)}")


def _open_interest(found: FuturesAt, its: Priced) -> None:
    before = found.compared and found.compared.its
    known, then = its.open_interest, before.open_interest if before else []
    total = math.fsum(known)
    change = futures_text.moved(total, math.fsum(then)) if known and then else None
    _changed("Open interest, USD", futures_text.large(total) if known else futures_text.NONE, change, found.compared)
    st.caption(f"{len(known)} of {text.count(len(its.snapshot.rows), 'contract')} known")
