"""Figures of Plotly, built of what the store returned."""
