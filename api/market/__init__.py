"""Serves what is recorded of the market, as of an instant and over a time."""
