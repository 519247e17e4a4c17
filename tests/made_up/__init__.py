"""A snapshot feed that no exchange has: the moons of a planet. It takes one module of each room, and a migration."""

from pathlib import Path

import pytest

from store import kinds
from store.file import schema

from .moons import MOONS

STEP = Path(__file__).with_name("9999_moons.sql")


def join(patch: pytest.MonkeyPatch) -> None:
    """List the kind and its migration, until the test ends."""
    patch.setattr(kinds, "KINDS", (*kinds.KINDS, MOONS))
    patch.setattr(schema, "STEPS", [*schema.STEPS, STEP])
