"""Open interest of an option chain by expiry and by strike."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import plotly.graph_objects as go

from pages.common.figures.charts import Trace
from pages.common.words import options_text as words
from pages.common.words.text import hover
from store.market.reads.as_of import Row
from store.market.reads.smiles import SmileAt

from .axes import BARS, MARGIN, both_ways, figure_of_numbers, floats, marked, places, title, usd


def calendar(smiles: Sequence[SmileAt], index_price: float | None, underlying: str, chosen: datetime) -> go.Figure:
    """The notional of each expiry: its open interest at the index. `chosen` stands out."""
    drawn = []
    for part, name in (("chosen", "Chosen"), ("others", "Others")):
        its = [(at, each) for at, each in enumerate(smiles) if (each.smile.expiry == chosen) == (part == "chosen")]
        drawn.append(
            {
                **BARS,
                "x": floats(at for at, _ in its),
                "y": floats((notional(each, index_price) or 0.0) / 1e6 for _, each in its),
                "name": name,
                "customdata": [words.in_address(each.smile.expiry) for _, each in its],
                "hovertext": [_expiring(each, index_price, underlying) for _, each in its],
                "meta": {"series": 0, "part": part},
            }
        )
    labels = [f"{each.smile.expiry.day} {each.smile.expiry:%b %y}" for each in smiles]
    x_axis = {"tickvals": list(range(len(labels))), "ticktext": labels, "showspikes": False}
    layout = {"barmode": "overlay", "showlegend": False, "margin": {**MARGIN, "t": 8}}
    return figure_of_numbers(drawn, x_axis, {"ticksuffix": " M", "tickformat": ",d"}, layout)


def notional(its: SmileAt, index_price: float | None) -> float | None:
    """The open interest of an expiry at the index, in USD; None if one is unknown."""
    known = [part for part in (its.smile.call_oi, its.smile.put_oi) if part is not None]
    return sum(known) * index_price if known and index_price else None


def describe_calendar(smiles: Sequence[SmileAt], index_price: float | None) -> str:
    known = [(value, each) for each in smiles if (value := notional(each, index_price)) is not None]
    if not known:
        return "The open interest of no expiry is known."
    most, largest = max(known, key=lambda pair: pair[0])
    return (
        f"Notional of {len(smiles)} expiries, {words.millions(sum(value for value, _ in known))} in all; "
        f"most on {words.expiry(largest.smile.expiry)}, {words.millions(most)}."
    )


def open_interest(
    rows: Sequence[Row], compared: Sequence[Row], lines: Mapping[str, float | None], underlying: str
) -> go.Figure:
    """Open interest by strike: calls up, puts down; what it was at another moment is outlined.

    Args:
        rows: of one expiry.
        compared: the rows of the same expiry at another moment; empty without a comparison.
        lines: by its name a price that a line marks, such as the index.
        underlying: the coin that open interest is counted in.
    """
    strikes = sorted({row.strike for row in [*rows, *compared]})
    drawn: list[Trace] = []
    for series, (kind, name, sign) in enumerate((("call", "Calls", 1), ("put", "Puts", -1))):
        its, before = (
            {row.strike: row.open_interest for row in each if row.option_type == kind} for each in (rows, compared)
        )
        shown = {"type": "bar", "x": np.arange(len(strikes), dtype=float), "meta": {"series": series, "part": "bars"}}
        told = [_interest(strike, name, its.get(strike), before.get(strike), underlying) for strike in strikes]
        height = floats(its.get(strike) for strike in strikes)
        drawn.append({**BARS, **shown, "y": sign * height, "name": name, "hovertext": told})
        if compared:
            outline = floats(before.get(strike) for strike in strikes)
            more = {"name": f"{name} before", "hoverinfo": "skip", "showlegend": False}
            drawn.append({**BARS, **shown, **more, "y": sign * outline, "meta": {"series": series, "part": "outline"}})
    x_axis = {**places(strikes), "title": title("Strike, USD"), "showspikes": False}
    layout = {"barmode": "overlay", "hovermode": "x", **marked(strikes, lines)}
    return figure_of_numbers(drawn, x_axis, both_ways([trace["y"] for trace in drawn]), layout)


def describe_interest(its: SmileAt, index_price: float | None, underlying: str) -> str:
    return (
        f"Open interest of {words.expiry(its.smile.expiry)} by strike: {words.amount(its.smile.call_oi)} {underlying} "
        f"of calls, {words.amount(its.smile.put_oi)} {underlying} of puts, max pain {usd(its.smile.max_pain)}, "
        f"index {usd(index_price)}."
    )


def _expiring(its: SmileAt, index_price: float | None, underlying: str) -> str:
    value = notional(its, index_price)
    return hover(
        f"{words.expiry(its.smile.expiry)}, {words.until(its)}",
        f"Notional {words.NOT_KNOWN if value is None else words.millions(value)}",
        f"Calls {words.amount(its.smile.call_oi)} {underlying}, puts {words.amount(its.smile.put_oi)} {underlying}",
    )


def _interest(strike: float, name: str, now: float | None, before: float | None, underlying: str) -> str:
    change = f", {now - before:+,.1f} since" if now is not None and before is not None else ""
    amount = words.NOT_KNOWN if now is None else f"{now:,.1f} {underlying}"
    return hover(f"{name} of {words.strike(strike)}: {amount}{change}")
