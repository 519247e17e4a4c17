"""The choice of series of the market, and of two of the chosen ones to compare."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import streamlit as st

from pages.common.reads.recorded import offered_series
from pages.common.reads.series import known_series, windows_for
from pages.common.words import series_text

NO_PAIR, SPREAD, RATIO, MOVES = "None", "A - B", "A / B", "Correlation"


@dataclass(frozen=True)
class Pair:
    """Two series or indexes to compare.

    Attributes:
        how: `SPREAD`, `RATIO` or `MOVES`.
        a, b: their names.
        window: of `MOVES`, of `reads.series.WINDOWS`; else empty.
    """

    how: str
    a: str
    b: str
    window: str = ""

    @property
    def name(self) -> str:
        """What is drawn of it."""
        return f"{self.a} {'-' if self.how == SPREAD else '/'} {self.b}"

    @property
    def unit(self) -> str | None:
        """The unit of a spread or a ratio; None if the two can't be subtracted."""
        its = series_text.spread_unit if self.how == SPREAD else series_text.ratio_unit
        return its(self.a, self.b)


def choose_series() -> list[str]:
    """Draw the choice of series of the market, and return the names; no choice without a market."""
    known = offered_series(known_series)
    if not known:
        return []
    return st.multiselect("Market", known, key="beside", bind="query-params", placeholder="No series", width=360)


def choose_pair(names: Sequence[str], length: timedelta) -> Pair | None:
    """Draw the choice of two of some names, and of what to draw of them; no choice with fewer names.

    Args:
        names: of indexes and series.
        length: of the range.
    """
    if len(names) < 2:
        return None
    how = _selected("Two of them", [NO_PAIR, SPREAD, RATIO, MOVES], "pair")
    if how == NO_PAIR:
        return None
    a = _selected("A", names, "a")
    b = _selected("B", [name for name in names if name != a], "b")
    return Pair(how, a, b, _selected("Window", windows_for(a, b, length), "window") if how == MOVES else "")


def _selected(label: str, options: Sequence[str], key: str) -> str:
    """One of some options; the first one if the chosen one is of other options, such as those of another range."""
    if st.session_state.get(key, options[0]) not in options:
        st.session_state[key] = options[0]
    chosen: str = st.selectbox(label, options, key=key, bind="query-params", width=180)
    return chosen
