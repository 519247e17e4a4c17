"""What a foreign file is: its packing, its text, its table, and how its times, numbers and candles are written."""
