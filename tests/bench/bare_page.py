"""What our pages are measured against: a bare Streamlit page with one st.plotly_chart of as many points."""

from datetime import datetime, timedelta

import plotly.graph_objects as go
import streamlit as st

START = datetime(2025, 11, 1)  # noqa: DTZ001 Plotly's times have no zone

times = [START + timedelta(hours=6 * number) for number in range(1460)]
figure = go.Figure()
for base in (100, 90):
    figure.add_scatter(x=times, y=[base + number % 37 for number in range(len(times))], mode="lines", name=str(base))
st.title("Bare page")
st.plotly_chart(figure, key="chart")
