"""Which indexes there are: those that are configured, and those that only have history."""

from collections.abc import Sequence

from duckdb import DuckDBPyConnection

from . import ticks


def known_indexes(configured: Sequence[str], stored: Sequence[str]) -> list[str]:
    """Configured indexes in their order, then those that only have history, by name."""
    return [*configured, *sorted(set(stored) - set(configured))]


def index_names(cursor: DuckDBPyConnection, configured: Sequence[str]) -> list[str]:
    """Each configured index, in that order, and then each that only has history, by name."""
    return known_indexes(configured, list(ticks.summary(cursor)))
