"""What the simulated exchange publishes at any instant: the same seed and instant always give the same values."""
