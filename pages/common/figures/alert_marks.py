"""Marks of alerts on a chart of prices: where the price was when a rule fired, and what it said."""

import html
import math
import textwrap
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import pandas as pd
import plotly.graph_objects as go

from store.alerts.events import Event

_LETTERS_A_LINE = 44
_SEVERITIES = ("info", "warning", "critical")


def add_alerts(figure: go.Figure, events: Sequence[Event], bars: Mapping[str, pd.DataFrame], zone: ZoneInfo) -> None:
    """Mark the events that have a price, of the indexes that are drawn; where several are, all of them begin at 100."""
    firsts = {name: float(frame["close"].iloc[0]) for name, frame in bars.items() if len(frame)}
    priced = [event for event in events if event.index_name in firsts and not math.isnan(event.price)]
    scale = {name: 100 / first if len(firsts) > 1 else 1.0 for name, first in firsts.items()}
    for severity in _SEVERITIES:
        its = [event for event in priced if event.severity == severity]
        if its:
            figure.add_scatter(
                x=[event.at.astimezone(zone).replace(tzinfo=None) for event in its],
                y=[event.price * scale[event.index_name] for event in its],
                mode="markers",
                cliponaxis=False,  # the newest is at the edge
                name=f"alert, {severity}",
                showlegend=False,
                hovertext=[_words(event) for event in its],
                hovertemplate="%{hovertext}<extra></extra>",
                meta={"part": "alert", "severity": severity},
            )


def _words(event: Event) -> str:
    lines = [f"{event.rule}, {event.severity}", *textwrap.wrap(event.text, _LETTERS_A_LINE)]
    return "<br>".join(map(html.escape, lines))
