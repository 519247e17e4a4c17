"""The parts that pages of the market share."""
