"""What leaves: exports of ticks and candles as Parquet, CSV and Excel files."""
