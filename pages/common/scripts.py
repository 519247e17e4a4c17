"""Scripts that run in the browser beside every page: for translated pages, and for the steps of the browser's Back."""

from pathlib import Path

import streamlit as st

_SCRIPTS = [(Path(__file__).parent / name).read_text() for name in ("translation.js", "steps.js")]


def run_scripts() -> None:
    """Run the scripts; each one does its work once, however often it runs."""
    with st.container(key="scripts"):
        st.html("<style>.st-key-scripts { display: none; }</style>")  # it would take place on the page
        for script in _SCRIPTS:
            st.html(f"<script>{script}</script>", unsafe_allow_javascript=True)
