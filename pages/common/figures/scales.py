"""The scale of each index in a chart, the same for its line and for marks of its prices."""

from collections.abc import Mapping

import pandas as pd

from .measures import measured

Scales = Mapping[str, float]
"""By the name of an index, the factor that its prices are drawn with."""


def at_100(inside: Mapping[str, pd.DataFrame]) -> Scales:
    """Each index is 100 at its first tick in the range, so that its line ends at 100 and its change in percent.

    `inside` has the bars of the range, without those beyond its ends. An index without bars has no scale.
    """
    return {name: 100 / measured(frame).open for name, frame in inside.items() if len(frame)}


def fitting(inside: Mapping[str, pd.DataFrame]) -> Scales:
    """One index alone has its price; several are each 100 at their first tick. Indexes without bars don't count."""
    found = at_100(inside)
    return found if len(found) > 1 else dict.fromkeys(found, 1.0)
