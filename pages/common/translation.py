"""Pages that a browser translates go on changing at each refresh."""

from pathlib import Path

import streamlit as st

_SCRIPT = (Path(__file__).parent / "translation.js").read_text()


def bear_translation() -> None:
    """Let the page be translated by the browser."""
    with st.container(key="translation"):
        st.html("<style>.st-key-translation { display: none; }</style>")  # it would take place on the page
        st.html(f"<script>{_SCRIPT}</script>", unsafe_allow_javascript=True)
