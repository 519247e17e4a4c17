"""Marks of alerts on a price chart: the price when a rule fired, and the text of the alert."""

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
    """Mark the events that have a price and whose index is drawn. With several indexes, each begins at 100."""
    firsts = {name: float(frame["close"].iloc[0]) for name, frame in bars.items() if len(frame)}
    priced = [event for event in events if event.index_name in firsts and not math.isnan(event.price)]
    scale = {name: 100 / first if len(firsts) > 1 else 1.0 for name, first in firsts.items()}
    for severity in _SEVERITIES:
        marked = [event for event in priced if event.severity == severity]
        if marked:
            figure.add_scatter(
                x=[event.at.astimezone(zone).replace(tzinfo=None) for event in marked],
                y=[event.price * scale[event.index_name] for event in marked],
                mode="markers",
                cliponaxis=False,  # the newest mark is at the edge
                name=f"alert, {severity}",
                showlegend=False,
                hovertext=[_words(event) for event in marked],
                hovertemplate="%{hovertext}<extra></extra>",
                meta={"part": "alert", "severity": severity},
            )


def _words(event: Event) -> str:
    lines = [f"{event.rule}, {event.severity}", *textwrap.wrap(event.text, _LETTERS_A_LINE)]
    return "<br>".join(map(html.escape, lines))
