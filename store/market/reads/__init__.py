"""What was recorded of the market, as of an instant and over a time. Nothing later has a part in an answer."""
