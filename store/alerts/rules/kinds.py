"""All kinds of rules."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from .price_kinds import Level, Move, RangeBreak, Volatility
from .record_kinds import Coverage, GapSettled, Stale
from .rules import Rule

AnyCondition = Move | Level | RangeBreak | Volatility | Stale | Coverage
AnyRule = Annotated[AnyCondition | GapSettled, Field(discriminator="kind")]

KINDS: Mapping[str, type[Rule]] = {
    "move": Move,
    "level": Level,
    "range_break": RangeBreak,
    "volatility": Volatility,
    "stale": Stale,
    "coverage": Coverage,
    "gap": GapSettled,
}
"""Each kind by its name in the file."""
