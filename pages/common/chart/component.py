"""The chart: our own component draws it in place, so that zoom and hover outlive each refresh.

`st.plotly_chart` hashes the figure into its element's identity, so that each change mounts it again. It is only used
on hosts that don't serve Plotly's script from our route. Zoom and hover end with each refresh there; the looks are the
same.
"""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import streamlit as st
from plotly.utils import PlotlyJSONEncoder

from pages.common.drawn import drawn_once

from .bundle import PLOTLY_URL
from .paint import STYLES, painted, theme

Zoomed = list[str] | Literal["out"]
"""The times that a reader zoomed to, with their offset; "out" to zoom out."""

_FOLDER = Path(__file__).parent
_HTML = """
<div class="tickwell-chart" role="group" aria-roledescription="chart" tabindex="0">
  <div class="plot" aria-hidden="true" translate="no"></div>
  <div class="reading" aria-live="polite"></div>
</div>
"""
_CHART = st.components.v2.component(
    "tickwell_chart",
    html=_HTML,
    css=(_FOLDER / "chart.css").read_text(),
    js=f"const STYLES = {json.dumps(STYLES)};\n{(_FOLDER / 'chart.js').read_text()}",
    isolate_styles=False,  # Plotly puts its own styles into the document
)
_NOT_SERVED = "plotly is not served"


def packed(figure: go.Figure) -> str:
    """A figure as JSON with its numbers and times as typed arrays: half the bytes, and no text to write or parse.

    Times are milliseconds since 1970 on the wall clock. chart.js turns them into text: Plotly would take a number for a
    time of the browser's zone.
    """
    drawn = figure.to_plotly_json()
    for trace in drawn["data"]:
        for name, values in trace.items():
            if isinstance(values, np.ndarray) and values.dtype.kind == "M":
                trace[name] = _typed(values.astype("datetime64[ms]").astype(float))
            elif isinstance(values, np.ndarray) and values.dtype.kind == "f":
                trace[name] = _typed(values)
    return json.dumps(drawn, cls=PlotlyJSONEncoder, separators=(",", ":"))


def _typed(values: npt.NDArray[np.floating]) -> dict[str, str]:
    return {"dtype": f"f{values.itemsize}", "bdata": base64.b64encode(values.tobytes()).decode()}


def routes_are_served() -> bool:
    """Does this host serve our own routes? The answer is yes until a chart of the session finds out otherwise."""
    return not st.session_state.get(_NOT_SERVED)


def live_chart(
    figure: go.Figure,
    *,
    key: str,
    view: str,
    alt: str,
    height: int = 420,
    least_width: int = 0,
    on_zoom: Callable[[Zoomed], None] | None = None,
    on_choose: Callable[[str], None] | None = None,
) -> None:
    """Draw a figure.

    Args:
        figure: from a builder of `figures`. On an axis that is not of times, each point brings its words: `hovertext`.
        key: of the chart on its page.
        view: what is shown. While it stays the same, the reader's zoom stays too.
        alt: what the figure shows, for readers who can't see it.
        height: in pixels.
        least_width: in pixels; on a narrower screen the chart scrolls sideways in its own box.
        on_zoom: called as a widget's callback when the reader zooms; without it, only the browser zooms.
        on_choose: called as a widget's callback with the `customdata` of a point that the reader clicks.
    """
    if not routes_are_served():
        drawn = painted(figure, theme()).update_layout(height=height)
        st.plotly_chart(drawn, key=f"{key}-plain", alt=alt, theme=None, config=STYLES["config"])
        return

    def tell() -> None:
        # Streamlit also calls this for a chart that the page no longer draws: its browser had not heard of that.
        if on_zoom is not None and key in st.session_state:
            on_zoom(st.session_state[key].zoomed)

    def choose() -> None:
        if on_choose is not None and key in st.session_state:
            on_choose(st.session_state[key].chosen)

    state = _CHART(
        key=key,
        data={
            "figure": drawn_once(f"packed {key}", figure, None, lambda: packed(figure)),
            "view": view,
            "alt": alt,
            "height": height,
            "least_width": least_width,
            "zooms": on_zoom is not None,
            "chooses": on_choose is not None,
            "plotly": PLOTLY_URL,
        },
        on_zoomed_change=tell,
        on_chosen_change=choose,
        on_missing_change=lambda: None,
    )
    if state.missing:
        st.session_state[_NOT_SERVED] = True
        st.rerun()
