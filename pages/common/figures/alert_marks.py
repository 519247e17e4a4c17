"""Marks of alerts on a price chart: the price when a rule fired, and the text of the alert."""

import math
import textwrap
from collections.abc import Sequence
from datetime import timezone

import plotly.graph_objects as go

from pages.common.figures.scales import Scales
from pages.common.words import text
from store.alerts.events import Event

_LETTERS_A_LINE = 44
_SEVERITIES = ("info", "warning", "critical")


def add_alerts(figure: go.Figure, events: Sequence[Event], scales: Scales, zone: timezone) -> None:
    """Mark the events that have a price and whose index is drawn, on the scale of that index."""
    priced = [event for event in events if event.index_name in scales and not math.isnan(event.price)]
    for severity in _SEVERITIES:
        marked = [event for event in priced if event.severity == severity]
        if marked:
            figure.add_scatter(
                x=[event.at.astimezone(zone).replace(tzinfo=None) for event in marked],
                y=[event.price * scales[event.index_name] for event in marked],
                mode="markers",
                cliponaxis=False,  # the newest mark is at the edge
                name=f"alert, {severity}",
                showlegend=False,
                hovertext=[_words(event) for event in marked],
                hovertemplate="%{hovertext}<extra></extra>",
                meta={"part": "alert", "severity": severity},
            )


def _words(event: Event) -> str:
    return text.hover(f"{event.rule}, {event.severity}", *textwrap.wrap(event.text, _LETTERS_A_LINE))
