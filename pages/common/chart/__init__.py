"""The chart component of the pages, and the bundle of Plotly that it runs on."""
