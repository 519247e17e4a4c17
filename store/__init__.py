"""Keeps the record: one DuckDB file, used by several processes. The only package that imports duckdb."""
