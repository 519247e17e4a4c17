"""Open interest, its change, volume and gamma of an option chain, by expiry and by strike."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import plotly.graph_objects as go

from pages.common.figures.charts import Trace
from pages.common.words import options_text as words
from pages.common.words.text import hover
from store.market.reads.interest import AtStrike, InterestAt
from store.market.reads.smiles import SmileAt

from .axes import BARS, MARGIN, any_way, both_ways, figure_of_numbers, floats, marked, places, title, usd

_MILLION = 1e6


class Measure(NamedTuple):
    """What bars show.

    Attributes:
        call, put: the names of its numbers in `AtStrike`.
        by_strike: what a chart by strike shows, as its header.
        by_expiry: what the calendar shows, as its caption begins; up to a colon a name of it.
        in_usd: are the numbers in USD? Others are in coin, and become USD at the index.
        since: do bars show the change since the moment to compare with?
    """

    call: str
    put: str
    by_strike: str
    by_expiry: str
    in_usd: bool = False
    since: bool = False

    @property
    def name(self) -> str:
        """What the calendar shows, in short."""
        return self.by_expiry.partition(":")[0]


MEASURES: Mapping[str, Measure] = {
    "Open interest": Measure("call_oi", "put_oi", "Open interest", "Notional: open interest at the index"),
    "Change": Measure(
        "call_oi", "put_oi", "Change of open interest", "Change of open interest at the index", since=True
    ),
    "Volume": Measure("call_volume", "put_volume", "Volume of 24 h", "Volume of 24 h at the index"),
    "Gamma": Measure("call_gamma", "put_gamma", "Gamma", "Gamma of a move by 1 %", in_usd=True),
}
"""By its name, each choice of what bars show."""


def values_of(
    now: Sequence[InterestAt], before: Sequence[InterestAt], measure: Measure, index_price: float | None
) -> list[float | None]:
    """What each expiry has of a measure, in USD; None if that is unknown, and if an expiry is new since a change."""
    factor = 1.0 if measure.in_usd else index_price
    if factor is None:
        return [None] * len(now)
    then = {each.expiry: each.total(measure.call, measure.put) for each in before}
    found: list[float | None] = []
    for each in now:
        total = each.total(measure.call, measure.put)
        if measure.since and total is not None:
            was = then.get(each.expiry)
            total = None if was is None else total - was
        found.append(None if total is None else factor * total)
    return found


def calendar(
    smiles: Sequence[SmileAt],
    interest: Sequence[InterestAt],
    values: Sequence[float | None],
    measure: Measure,
    underlying: str,
    chosen: datetime,
) -> go.Figure:
    """What each expiry has of a measure, in millions of USD. `chosen` stands out.

    Args:
        smiles: by expiry.
        interest: of the same expiries.
        values: of the same expiries, in USD.
        measure: what the values are of.
        underlying: the coin that open interest is counted in.
        chosen: an expiry.
    """
    drawn = []
    for part, name in (("chosen", "Chosen"), ("others", "Others")):
        its = [(at, each) for at, each in enumerate(smiles) if (each.smile.expiry == chosen) == (part == "chosen")]
        drawn.append(
            {
                **BARS,
                "x": floats(at for at, _ in its),
                "y": floats((values[at] or 0.0) / _MILLION for at, _ in its),
                "name": name,
                "customdata": [words.in_address(each.smile.expiry) for _, each in its],
                "hovertext": [_expiring(each, interest[at], values[at], measure, underlying) for at, each in its],
                "meta": {"series": 0, "part": part},
            }
        )
    labels = [f"{each.smile.expiry.day} {each.smile.expiry:%b %y}" for each in smiles]
    x_axis = {"tickvals": list(range(len(labels))), "ticktext": labels, "showspikes": False}
    layout = {"barmode": "overlay", "showlegend": False, "margin": {**MARGIN, "t": 8}}
    return figure_of_numbers(drawn, x_axis, {"ticksuffix": " M", "tickformat": ",~r"}, layout)


def describe_calendar(smiles: Sequence[SmileAt], values: Sequence[float | None], measure: Measure) -> str:
    """What the calendar shows, for readers who can't see it."""
    known = [(value, each) for value, each in zip(values, smiles, strict=True) if value is not None]
    if not known:
        return f"{measure.name}: nothing is known of any expiry."
    most, largest = max(known, key=lambda pair: abs(pair[0]))
    return (
        f"{measure.name} of {len(smiles)} expiries, {words.millions(sum(value for value, _ in known))} in all; "
        f"most on {words.expiry(largest.smile.expiry)}, {words.millions(most)}."
    )


def by_strike(
    its: InterestAt,
    before: InterestAt | None,
    measure: Measure,
    lines: Mapping[str, float | None],
    underlying: str,
) -> go.Figure:
    """A measure by strike: calls up, puts down; what it was at another moment is outlined. A change has its sign.

    Args:
        its: of one expiry.
        before: the same at another moment; None without a comparison.
        measure: what bars show. A change needs the other moment.
        lines: by its name a price that a line marks, such as the index.
        underlying: the coin that open interest is counted in.
    """
    of = [{each.strike: each for each in side.strikes} if side else {} for side in (its, before)]
    strikes = sorted({*of[0], *of[1]})
    unit = "M USD" if measure.in_usd else underlying
    drawn: list[Trace] = []
    for series, (name, column, sign) in enumerate((("Calls", measure.call, 1), ("Puts", measure.put, -1))):
        now, then = ([_of(side.get(strike), column, measure) for strike in strikes] for side in of)
        changes = [a - b if a is not None and b is not None else None for a, b in zip(now, then, strict=True)]
        told = zip(strikes, now, changes, strict=True)
        shown = {"type": "bar", "x": floats(range(len(strikes))), "meta": {"series": series, "part": "bars"}}
        height = floats(changes) if measure.since else sign * floats(now)
        hovertext = [_told(strike, name, value, change, unit) for strike, value, change in told]
        drawn.append({**BARS, **shown, "y": height, "name": name, "hovertext": hovertext})
        if before is not None and not measure.since:
            more = {"name": f"{name} before", "hoverinfo": "skip", "showlegend": False}
            outline = {"y": sign * floats(then), "meta": {"series": series, "part": "outline"}}
            drawn.append({**BARS, **shown, **more, **outline})
    x_axis = {**places(strikes), "title": title("Strike, USD"), "showspikes": False}
    layout = {"barmode": "group" if measure.since else "overlay", "hovermode": "x", **marked(strikes, lines)}
    heights = [trace["y"] for trace in drawn]
    return figure_of_numbers(drawn, x_axis, any_way(heights) if measure.since else both_ways(heights), layout)


def describe_by_strike(
    its: InterestAt, before: InterestAt | None, measure: Measure, lines: Mapping[str, float | None], underlying: str
) -> str:
    """What the chart by strike shows, for readers who can't see it."""
    unit = "M USD" if measure.in_usd else underlying
    told = []
    for column, name in ((measure.call, "calls"), (measure.put, "puts")):
        total, was = its.total(column), before and before.total(column)
        if measure.since:
            total = None if total is None or was is None else total - was
        amount = total if total is None or not measure.in_usd else total / _MILLION
        told.append(f"{words.amount(amount)} {unit} of {name}")
    marks = ", ".join(f"{name.lower()} {usd(value)}" for name, value in lines.items())
    return f"{measure.by_strike} of {words.expiry(its.expiry)} by strike: {', '.join(told)}, {marks}."


def _expiring(its: SmileAt, interest: InterestAt, value: float | None, measure: Measure, underlying: str) -> str:
    calls, puts = (words.amount(interest.total(name)) for name in ("call_oi", "put_oi"))
    return hover(
        f"{words.expiry(its.smile.expiry)}, {words.until(its)}",
        f"{measure.name} {words.NOT_KNOWN if value is None else words.millions(value)}",
        f"Open interest of calls {calls} {underlying}, of puts {puts} {underlying}",
    )


def _of(strike: AtStrike | None, column: str, measure: Measure) -> float | None:
    """The number of a strike that a bar shows."""
    value: float | None = getattr(strike, column, None)
    return value / _MILLION if measure.in_usd and value is not None else value


def _told(strike: float, name: str, now: float | None, change: float | None, unit: str) -> str:
    since = "" if change is None else f", {change:+,.1f} since"
    amount = words.NOT_KNOWN if now is None else f"{now:,.1f} {unit}"
    return hover(f"{name} of {words.strike(strike)}: {amount}{since}")
