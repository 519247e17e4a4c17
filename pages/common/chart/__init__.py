"""The chart component of the pages, and the Plotly bundle that it uses."""
