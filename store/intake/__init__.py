"""Data from elsewhere: imports of Parquet and CSV files, and their undo."""
