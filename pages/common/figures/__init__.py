"""Plotly figures, built from what the store returned."""
