"""Volatility in words: the numbers of the cards, and how each of them is computed."""

from collections.abc import Iterable, Sequence
from datetime import datetime, tzinfo

from store.instants import MINUTE
from store.market import realised
from store.market.checks import DVOL
from store.market.instruments import usd_index
from store.market.reads.volatility import DUE, Point, VolatilityAt
from store.market.realised import Band

from . import text

DVOL_IS = (
    "DVOL is the exchange's own index of the volatility that its options imply for the next 30 days, in percent a year."
)

FEW_APART = 3
"""A band needs so many windows that share no day, or it rests on few. A year has three of 180 days at its ends."""

_OWN = f"Method version {realised.METHOD}."


def percent(value: float) -> str:
    """A volatility, in percent a year."""
    return f"{value:.2f} %"


def signed(value: float) -> str:
    """A difference of two volatilities in points, with its sign."""
    return f"{value:+.2f}" if round(value, 2) else "0.00"


def day(at: datetime) -> str:
    """A day in UTC, such as "25 Dec 2026"."""
    return f"{at.day} {at:%b %Y}"


def minutes_known(found: VolatilityAt) -> str:
    """How many returns a realised volatility rests on, and how many it lacks for one."""
    of = f"{found.moves.known:,} of {DUE:,} minutes known"
    return of if found.realised is not None else f"{of}; half of them are needed"


def realised_comes(found: VolatilityAt, zone: tzinfo) -> str:
    """Since when minutes are known, and when a realised volatility is there at the earliest; empty if it is there."""
    if found.realised is not None or found.moves_since is None:
        return ""
    first = found.at + (DUE // 2 - found.moves.known) * MINUTE
    return f"Known since {day(found.moves_since)}; there on {text.moment(first, zone)} at the earliest"


def known_later(found: VolatilityAt) -> str:
    """The premium that is known later, or what it lacks."""
    if found.realised is None:
        return "Needs realised volatility"
    later = found.premium_later
    return f"Premium of 30 d ago: {signed(later.points)}" if later else "Premium of 30 d ago needs DVOL of that day"


def chain_against_dvol(chain: float, dvol: float) -> str:
    """Our chain beside DVOL, with a mark for how far they are apart."""
    good = DVOL.state(chain - dvol) == "ok"
    mark = ":green[:material/check_circle:]" if good else ":orange[:material/error:]"
    compared = f"Our chain says **{percent(chain)}** for 30 days, DVOL **{percent(dvol)}**"
    return f"{mark} {compared}: {signed(chain - dvol)} points."


def ago(days_before: int) -> str:
    """How long before DVOL its change counts from: 24 h unless the reader chose another time."""
    return f"{days_before} d" if days_before else "24 h"


def how_dvol(found: VolatilityAt, days_before: int) -> str:
    before = f" It was {percent(found.before.value)} {ago(days_before)} before." if found.before else ""
    now = f"This is the close of its newest candle.{before}"
    return f"{DVOL_IS} {now}\n\nSource: `volatility_index`, as the exchange has it."


def how_standing() -> str:
    return (
        "**Rank** = (now - min) / (max - min)\n\n**Percentile** = share of the days whose close is below now\n\n"
        "Both are over the daily closes of DVOL in the last 365 days, at 24:00 UTC. Now counts for min and max.\n\n"
        f"Source: `volatility_index`, candles of a day. {_OWN}"
    )


def how_realised(found: VolatilityAt) -> str:
    return (
        "**Realised volatility** = √(525,600 / n × Σ r²), with r = ln(close / close of the minute before)\n\n"
        f"Over the 30 days before now, n = {found.moves.known:,}. A return counts if the two minutes are next to each "
        "other and all of their ticks were observed. The mean return is taken as 0. With less than "
        f"{DUE // 2:,} returns there is no number.\n\n"
        f"Source: `candles_1m` of {usd_index(found.currency)}. {_OWN}"
    )


def how_premium(found: VolatilityAt) -> str:
    now, later, month = found.premium_now, found.premium_later, found.month_before
    in_variance = f" In variance {now.variance:+.4f}." if now else ""
    since = f" DVOL was {percent(month.value)} then." if month else ""
    later_in_variance = f" In variance {later.variance:+.4f}." if later else ""
    return (
        f"**Premium** = DVOL now - realised volatility of the 30 days before.{in_variance}\n\n"
        f"**Premium of 30 d ago** = DVOL of that day - realised volatility since.{since}{later_in_variance}\n\n"
        "The first compares what is expected with what was; the second says who was right. In variance it is the "
        f"difference of the squares, as fractions.\n\nSource: `volatility_index`, `candles_1m`. {_OWN}"
    )


def how_chain(point: Point) -> str:
    return (
        "s² = 2/T × ∫ q(K) / K² dK, over the strikes K at which a call has a delta of 0.95 to 0.05\n\n"
        "q is the Black-76 value in USD of the option out of the money, with an IV linear in ln(K/F). Total variance "
        "s² T is linear in time between the two expiries around 30 days.\n\n"
        "It is a check and not the exchange's own method. On 156 days of BTC its bias against DVOL was -0.1 %, and "
        f"the median difference 0.3 points. ETH was not compared. More than {DVOL.note_above} points are worth a "
        f"note, more than {DVOL.warn_above:g} a warning.\n\n"
        f"Source: `surfaces`, column `iv_chain_30d`. {_methods([point])}"
    )


def _methods(points: Iterable[Point]) -> str:
    """The versions of the formulas that made the surfaces."""
    found = sorted({point.method for point in points})
    return f"Method version{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}."


def how_at_the_money(points: Iterable[Point]) -> str:
    return (
        "**At the money**: the mark IV of each expiry, linear in ln(K/F) at the forward F. Total variance IV² T is "
        "linear in time between the two expiries around 7, 30, 90 and 180 days. Beyond the listed expiries nothing is "
        "drawn.\n\nExpiries with less than 12 h to go or fewer than 5 strikes take no part.\n\n"
        f"Source: `surfaces`, columns `iv_7d` to `iv_180d`. {_methods(points)}"
    )


def how_skews(points: Iterable[Point]) -> str:
    return (
        "**Risk reversal** = IV(call of 25 delta) - IV(put of 25 delta)\n\n"
        "**Butterfly** = (IV(call) + IV(put)) / 2 - IV at the money. Some write twice as much.\n\n"
        "The IV of 25 delta is linear in delta between the two strikes around it. Its total variance is linear in time "
        "between the two expiries around 30 days.\n\n"
        f"Source: `surfaces`, columns `rr25_30d` and `bf25_30d`. {_methods(points)}"
    )


def few(window_d: int, band: Band) -> bool:
    """Does a band rest on few windows? Then fewer than three of them share no day."""
    return band.apart(window_d) < FEW_APART


def about_cone(bands: Sequence[tuple[int, Band]]) -> str:
    """What the chart of the cone shows, and which of its boxes rest on few windows."""
    words = (
        "Realised volatility at the ends of the last 365 days, in UTC: from the lowest to the highest, the middle "
        "half, and the median. The dots are realised volatility now, and IV at the money for as long."
    )
    some = [f"{days} d on {text.count(band.days, 'day')}" for days, band in bands if few(days, band)]
    return f"{words} Hollow boxes rest on few windows, most of which overlap: {', '.join(some)}." if some else words


def how_cone() -> str:
    return (
        "For each length, realised volatility is taken at the end of each of the last 365 days, at 24:00 UTC. Days on "
        "which less than half of the minutes of the length are known are left out. The columns are the quantiles 0, "
        "0.25, 0.5, 0.75 and 1 of these values, linear between two of them.\n\n"
        f"A box is hollow if fewer than {FEW_APART} of its windows share no day.\n\n"
        f"Source: `candles_1m`; `surfaces` for IV. {_OWN}"
    )
