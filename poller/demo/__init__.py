"""A demo: the built-in simulator stands in for the exchange, and the market has a made-up past."""
