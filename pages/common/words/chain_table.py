"""The tables of a chain: the options of an expiry by strike, and the expiries."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.elements.lib.column_types import ColumnConfig

from store.market.black76 import Greeks
from store.market.instruments import OptionType
from store.market.reads.as_of import Row
from store.market.reads.smiles import SmileAt
from store.market.reads.terms import Term

from . import options_text, tables

_NUMBERS: Mapping[str, tuple[Callable[[Row, Greeks | None], float | None], str]] = {
    "IV": (lambda row, _: row.mark_iv, "%.2f"),
    "delta": (lambda _, greeks: greeks and greeks.delta, "%.3f"),
    "bid": (lambda row, _: row.bid_price, "%.4f"),
    "ask": (lambda row, _: row.ask_price, "%.4f"),
    "mark": (lambda row, _: row.mark_price, "%.4f"),
    "OI": (lambda row, _: row.open_interest, "%,.1f"),
    "volume": (lambda row, _: row.volume, "%,.1f"),
}
"""The columns of each side of the table: their numbers, and how these are shown."""

EXPIRY_FORMATS: Mapping[str, ColumnConfig] = {
    "Expiry": st.column_config.TextColumn(pinned=True),
    "Days": st.column_config.NumberColumn(format="%.1f"),
    "IV at the money": tables.PERCENT,
    "Forward IV": tables.PERCENT,
    "Expected move, USD": st.column_config.NumberColumn(format="%,.0f"),
    "Expected move": tables.PERCENT,
    "Straddle": tables.PERCENT,
}
"""How the columns of the table of expiries are shown."""


def tabulated(
    its: SmileAt,
    rows: Iterable[Row],
    greeks: Iterable[Greeks | None],
    sides: Sequence[OptionType],
    most: int | None = None,
) -> pd.DataFrame:
    """A row for each strike of an expiry: the strike, its call, its put, or both. NaN is what is unknown.

    Args:
        its: the smile of the expiry.
        rows: of the whole chain.
        greeks: of each of these rows.
        sides: of the table, calls first.
        most: how many strikes around the forward the table has; all without it, and without a forward.
    """
    of = {
        (row.strike, row.option_type): (row, its_greeks)
        for row, its_greeks in zip(rows, greeks, strict=True)
        if row.expiry == its.smile.expiry
    }
    strikes = [point.strike for point in its.points]
    forward = its.smile.forward
    nearest = None if forward is None else min(strikes, key=lambda strike: abs(strike - forward))
    if nearest is not None and most is not None:
        first = max(0, min(strikes.index(nearest) - most // 2, len(strikes) - most))
        strikes = strikes[first : first + most]
    marks = ["ATM" if strike == nearest else "" for strike in strikes]
    named: dict[str, pd.Series] = {"Strike": pd.Series(strikes, dtype=float), "At": pd.Series(marks, dtype=str)}
    found = (_numbers_of([of.get((strike, side)) for strike in strikes], side) for side in sides)
    return pd.DataFrame({name: column for part in (named, *found) for name, column in part.items()})


def strike_of(frame: pd.DataFrame, picked: Mapping[str, Any]) -> float:
    """The strike of the cell that a reader picked in the table; without one that at the money, or else the first."""
    cells = picked["selection"]["cells"]
    row = cells[0][0] if cells else int((frame["At"] == "ATM").argmax())
    return float(frame["Strike"].iloc[row])


def _numbers_of(options: Sequence[tuple[Row, Greeks | None] | None], side: OptionType) -> dict[str, pd.Series]:
    """The columns of one side of the table; None for a strike without an option on this side."""
    return {
        f"{side.capitalize()} {name}": pd.Series([each and number(*each) for each in options], dtype=float)
        for name, (number, _) in _NUMBERS.items()
    }


def formats(frame: pd.DataFrame) -> dict[str, ColumnConfig]:
    """How the columns of the table are shown. The strike stays in sight on a narrow screen."""
    return {
        "Strike": st.column_config.NumberColumn(format="%,.10g", pinned=True),
        "At": st.column_config.TextColumn(""),
        **{
            name: st.column_config.NumberColumn(format=_NUMBERS[name.partition(" ")[2]][1])
            for name in frame.columns
            if " " in name
        },
    }


def of_expiries(terms: Sequence[Term]) -> pd.DataFrame:
    """A row for each expiry. NaN is what is unknown; the note says where total variance falls."""
    return pd.DataFrame(
        {
            "Expiry": pd.Series([options_text.expiry(each.expiry) for each in terms], dtype=str),
            "Days": pd.Series([365 * each.years for each in terms], dtype=float),
            "IV at the money": pd.Series([each.atm_iv for each in terms], dtype=float),
            "Forward IV": pd.Series([each.forward_iv for each in terms], dtype=float),
            "Expected move, USD": pd.Series([each.expected_move for each in terms], dtype=float),
            "Expected move": pd.Series([each.expected_move_percent for each in terms], dtype=float),
            "Straddle": pd.Series([each.straddle for each in terms], dtype=float),
            "Note": pd.Series(["Total variance falls" if each.falls else "" for each in terms], dtype=str),
        }
    )
