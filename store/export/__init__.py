"""Exports of rows and candles as Parquet, CSV and Excel files."""
