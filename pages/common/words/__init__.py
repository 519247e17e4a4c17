"""What pages say: times, counts, prices, gaps and alerts in words."""
