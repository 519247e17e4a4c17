"""What rules would have come to over ticks that are stored."""
