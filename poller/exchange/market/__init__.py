"""The methods of the market: book summaries, the volatility index, funding, delivery prices and candles."""
