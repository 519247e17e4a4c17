"""What our pages are measured against: the least that shows as much, by `?page=` or `?charts=` of the address.

`page` is the address of a page: its elements, copied, in one live part that is drawn again each second. `charts` is a
number of charts: that many `st.plotly_chart` and nothing else.
"""

from datetime import datetime, timedelta

import plotly.graph_objects as go
import streamlit as st

from tests.bench.bare_elements import copies, draw

START = datetime(2025, 11, 1)  # noqa: DTZ001 Plotly's times have no zone


def figure(number: int) -> go.Figure:
    times = [START + timedelta(hours=6 * number) for number in range(1460)]
    made = go.Figure()
    for base in (100, 90):
        prices = [base + (number + each) % 37 for each in range(len(times))]
        made.add_scatter(x=times, y=prices, mode="lines", name=str(base))
    return made


if "page" in st.query_params:
    st.fragment(draw, run_every="1s")(copies()[st.query_params["page"]])
else:
    st.title("Bare page")
    for number in range(int(st.query_params.get("charts", "1"))):
        st.plotly_chart(figure(number), key=f"chart-{number}")
