"""The words of the pages: times, counts, prices, gaps and alerts."""
