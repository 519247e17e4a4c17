"""All kinds of rules."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from .market_kinds import AnnualBasis, AnnualFunding, Dvol, ImpliedVolatility, OpenInterest, Skew
from .price_kinds import Level, Move, RangeBreak, Volatility
from .record_kinds import GapClosed, LakeLags, LowCoverage, Stale
from .rules import Rule

AnyCondition = (
    Move
    | Level
    | RangeBreak
    | Volatility
    | Dvol
    | ImpliedVolatility
    | Skew
    | AnnualBasis
    | AnnualFunding
    | OpenInterest
    | Stale
    | LowCoverage
    | LakeLags
)
AnyRule = Annotated[AnyCondition | GapClosed, Field(discriminator="kind")]

KINDS: Mapping[str, type[Rule]] = {
    "move": Move,
    "level": Level,
    "range_break": RangeBreak,
    "volatility": Volatility,
    "dvol": Dvol,
    "iv": ImpliedVolatility,
    "skew": Skew,
    "basis": AnnualBasis,
    "funding": AnnualFunding,
    "open_interest": OpenInterest,
    "stale": Stale,
    "coverage": LowCoverage,
    "lake": LakeLags,
    "gap": GapClosed,
}
"""Each kind by its name in the file."""
