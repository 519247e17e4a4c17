"""What leaves: exports of rows and candles as Parquet, CSV and Excel files."""
