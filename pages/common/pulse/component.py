"""The component that draws the line. It needs no route of ours, so that it works on every host."""

from datetime import datetime
from pathlib import Path

import streamlit as st

from pages.common.access import refresh_every

from .line import Line

_FOLDER = Path(__file__).parent
_HTML = """
<div class="tickwell-pulse">
  <span class="mark" aria-hidden="true"></span>
  <span class="words"></span>
  <span class="change" role="status"></span>
</div>
"""
_PULSE = st.components.v2.component(
    "tickwell_pulse",
    html=_HTML,
    css=(_FOLDER / "pulse.css").read_text(),
    js=(_FOLDER / "pulse.js").read_text(),
    isolate_styles=False,  # readers of the page's text, such as the tests, find the words
)


def draw_line(line: Line, now: datetime, end: str) -> None:
    """Draw the line as it is now, with a sentence at its end."""
    _PULSE(key="pulse", data=line.told(now.timestamp(), refresh_every().total_seconds(), end))
