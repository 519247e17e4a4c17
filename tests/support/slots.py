"""Slots that were stored, to the second."""

from datetime import datetime, timedelta


def seconds(instants: list[datetime]) -> list[datetime]:
    return sorted(instant.replace(microsecond=0) for instant in instants)


def in_a_row(slots: list[datetime]) -> list[datetime]:
    """As many slots of a second as were given, from the first of them on."""
    return [slots[0] + timedelta(seconds=i) for i in range(len(slots))]
