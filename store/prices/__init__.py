"""What is in the file: ticks, averages, and the candles and bars that are made of them."""
