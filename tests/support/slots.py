"""Compares stored slots to the second."""

from datetime import datetime, timedelta


def seconds(instants: list[datetime]) -> list[datetime]:
    return sorted(instant.replace(microsecond=0) for instant in instants)


def in_a_row(slots: list[datetime]) -> list[datetime]:
    """The same number of consecutive slots at 1 s, from the first of `slots`."""
    return [slots[0] + timedelta(seconds=i) for i in range(len(slots))]
