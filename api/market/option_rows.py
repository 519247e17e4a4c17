"""What the routes of options answer: chains, smiles and open interest as of an instant, contracts and surfaces."""

from datetime import datetime

from pydantic import BaseModel, Field

from store.kinds import OPTIONS, SMILES, SURFACES

from .asked import NoSnapshot
from .told import AsOf, Over, row_model

_COMPARED = "With vs: the answer of then."

_GREEK = {
    "delta": "w N(w d1), as the exchange's",
    "gamma": "per USD of the forward",
    "vega": "USD per point of IV",
    "theta": "USD per day",
    "rho": "USD per point of interest",
}

OptionRow = row_model(
    "OptionRow",
    "An option in a chain. null is an absent quote or trade.",
    OPTIONS,
    OPTIONS.brought,
    instrument_name=(str, Field(description="as the exchange spells it")),
    **{
        name: (float | None, Field(default=None, description=f"With greeks=true: {unit}"))
        for name, unit in _GREEK.items()
    },
)
SmileNumbers = row_model("SmileNumbers", "The numbers of a smile.", SMILES, SMILES.columns[2:-1])
HistoryRow = row_model(
    "HistoryRow",
    "An option in one snapshot. null is an absent quote or trade.",
    OPTIONS,
    [column for column in OPTIONS.columns if column.name not in OPTIONS.key],
)
SurfaceRow = row_model(
    "SurfaceRow",
    "A chain at constant maturities. null lies beyond its expiries or strikes.",
    SURFACES,
    SURFACES.columns[1:],
)


class ChainAt(AsOf):
    """The options of an underlying as of an instant, by expiry, strike and type."""

    underlying: str
    options: list[OptionRow]  # type: ignore[valid-type]  # it is made of the columns
    compared: "ChainAt | NoSnapshot | None" = Field(default=None, description=_COMPARED)


class PointRow(BaseModel):
    """A strike of a smile."""

    strike: float = Field(description="In USD.")
    moneyness: float | None = Field(description="ln(K/F).")
    delta: float | None = Field(description="Of the call; the put has 1 less.")
    iv: float | None = Field(description="Of the marks of the call and the put: their mean; % a year.")
    bid_iv: float | None = Field(description="Of the bid of the option out of the money; % a year.")
    ask_iv: float | None = Field(description="Of its ask; % a year.")


class DeltaRow(BaseModel):
    """The IV at a delta."""

    delta: float = Field(description="Of the call; 0.75 is that of the put of 25 delta.")
    iv: float | None = Field(description="% a year; null beyond the last strikes.")


class SmileRow(SmileNumbers):  # type: ignore[valid-type, misc]  # it is made of the columns
    """The smile of an expiry: its numbers, and its strikes."""

    years: float = Field(description="From the snapshot to the expiry, in years of 365 days.")
    forward_iv: float | None = Field(
        description="From the expiry before, in % a year; null where total variance falls."
    )
    expected_move: float | None = Field(description="One standard deviation to the expiry, in USD.")
    straddle: float | None = Field(
        description="The value of a call plus a put with a strike at the forward, in % of the forward."
    )
    by_delta: list[DeltaRow]
    points: list[PointRow]


class SmilesAt(AsOf):
    """The smiles of an underlying as of an instant, by expiry."""

    underlying: str
    smiles: list[SmileRow]
    compared: "SmilesAt | NoSnapshot | None" = Field(default=None, description=_COMPARED)


class SettlementRow(BaseModel):
    """What an option paid at its expiry."""

    delivery_price: float = Field(description="The mean of the index from 07:30 to 08:00 UTC of the day, in USD.")
    payoff_usd: float = Field(description="The intrinsic value at that price, in USD.")
    payoff: float = Field(description="The same as the option is quoted: in coin, or in USD for a linear option.")


class StrikeRow(BaseModel):
    """What is held and traded at a strike. A number is null where the option is not listed or the number is unknown."""

    strike: float = Field(description="In USD.")
    call_oi: float | None = Field(description="Open interest of the call, in coin.")
    put_oi: float | None = Field(description="Of the put.")
    call_volume: float | None = Field(description="Volume of the call in 24 h, in coin.")
    put_volume: float | None = Field(description="Of the put.")
    call_gamma: float | None = Field(description="Gamma of all open calls, in USD of delta per 1 % of the forward.")
    put_gamma: float | None = Field(description="Of all open puts; unsigned, too.")


class InterestRow(BaseModel):
    """What is held and traded of an expiry: the sums of what is known, and each strike."""

    expiry: datetime
    call_oi: float | None
    put_oi: float | None
    call_volume: float | None
    put_volume: float | None
    call_gamma: float | None
    put_gamma: float | None
    notional: float | None = Field(description="Open interest at the index, in USD.")
    put_call_oi: float | None = Field(description="Open interest of puts by that of calls.")
    put_call_volume: float | None = Field(description="Volume of puts by that of calls.")
    strikes: list[StrikeRow]


class InterestAsOf(AsOf):
    """What is held and traded of an underlying as of an instant, by expiry."""

    underlying: str
    expiries: list[InterestRow]
    compared: "InterestAsOf | NoSnapshot | None" = Field(default=None, description=_COMPARED)


class HistoryOver(Over):
    """What was recorded of an option in a time."""

    instrument_name: str
    settlement: SettlementRow | None = Field(description="null if the time ends before the expiry was settled.")
    rows: list[HistoryRow]  # type: ignore[valid-type]  # it is made of the columns


class SurfacesOver(Over):
    """The surfaces of an underlying in a time."""

    underlying: str
    rows: list[SurfaceRow]  # type: ignore[valid-type]  # it is made of the columns
