"""Series of the market and pairs of series in words: their names, their units, and how they are computed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

import pandas as pd

from store.market.reads.explained import CARRY_METHOD, MATURITY
from store.market.reads.series import Series
from store.market.surface import METHOD

from . import text

PERCENT, POINTS = "%", "points"

_PANELS = {"basis": "Basis, % a year", "funding": "Funding, % a year"}
"""What series are, by their scale: as titles of their panels."""

_HOW = {
    "DVOL": "**DVOL**: the last value of each step, as the exchange's candles close. Source: `volatility_index`.",
    "basis": (
        f"**Basis**: {MATURITY[0].formula}. The last snapshot of each step, before the half hour of settlement if it "
        f"has one. Source: `futures`, `snapshots`. Method version {CARRY_METHOD}."
    ),
    "IV": (
        "**IV** at the money at a constant maturity: total variance IV² T is linear in time between the two expiries "
        f"around it. The last chain of each step. Source: `surfaces`. Method version {METHOD}."
    ),
    "funding": (
        "**Funding** of the perpetual: the mean `interest_1h` of the known hours that end in a step, × 8760: simple. "
        f"Source: `funding`. Method version {CARRY_METHOD}."
    ),
}


def title(name: str) -> str:
    """The name of a series, or an index as the pair that it prices."""
    return name if Series.of(name) else text.pair(name)


def panel(name: str) -> str:
    """The title of the panel that has a series."""
    its = Series.of(name)
    return _PANELS.get(its.kind if its else "", "Volatility, % a year")


def unit(name: str) -> str:
    """The unit of a series, or of an index: its second currency."""
    return PERCENT if Series.of(name) else name.upper().rpartition("_")[2]


def spread_unit(a: str, b: str) -> str | None:
    """The unit of A - B; None if theirs differ."""
    its = unit(a)
    return None if its != unit(b) else POINTS if its == PERCENT else its


def ratio_unit(a: str, b: str) -> str:
    """The unit of A / B; empty if theirs are the same."""
    its, other = unit(a), unit(b)
    return "" if its == other else f"{its} per {other}"


def beta_unit(a: str, b: str) -> str:
    """The unit of a move of A by a move of B; empty if both move in the same one."""
    its, other = ("point" if Series.of(name) else PERCENT for name in (a, b))
    return "" if its == other else f"{POINTS if its == 'point' else its} per {other}"


def how(names: Iterable[str], pair: str = "") -> str:
    """How the series among some names are computed, and the spread or the ratio of two of them."""
    kinds = dict.fromkeys(its.kind for name in names if (its := Series.of(name)))
    told = [_HOW[kind] for kind in kinds]
    if pair:
        told.append(f"**{pair}**: of the values that both have in a step; of an index it is the last price.")
    return "\n\n".join([*told, "A step without a value has none: nothing is filled in."])


def how_moves(a: str, b: str, step: timedelta, due: int, method: int) -> str:
    """How correlation and beta of two series or indexes are computed."""
    return (
        "**Correlation** = Σ (x - x̄)(y - ȳ) / √(Σ (x - x̄)² Σ (y - ȳ)²)\n\n"
        "**Beta** = Σ (x - x̄)(y - ȳ) / Σ (y - ȳ)²\n\n"
        f"x is {_move(a, step)}; y is {_move(b, step)}. The sums are over the moves of the window of which both are "
        f"known, n of {due:,}; half of them are needed. A move leads from one step to the next: none leads across a "
        "step that is not known, and the step that is not over yet has none. Nothing later than a point has a part in "
        f"it.\n\n{how([a, b])} Source of prices: `ticks`. Method version {method}."
    )


def _move(name: str, step: timedelta) -> str:
    if Series.of(name):
        return f"the change of {name} over {text.span(step)}, in points"
    return f"100 × ln(close / close before) of {title(name)} over {text.span(step)}, in percent"


def described(lines: Mapping[str, pd.DataFrame], units: Mapping[str, str]) -> str:
    """What lines show, for readers who can't see them: at least one value each."""
    return " ".join(_described(name, frame["value"], units[name]) for name, frame in lines.items())


def _described(name: str, values: "pd.Series[float]", its_unit: str) -> str:
    first, last, low, high = (
        f"{each:z,.{2 if its_unit in {PERCENT, POINTS} else text.decimals(abs(each))}f}"
        for each in (values.iloc[0], values.iloc[-1], values.min(), values.max())
    )
    return f"{name} from {first} to {last}{its_unit and f' {its_unit}'}, lowest {low}, highest {high}."
