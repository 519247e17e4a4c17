"""Futures and funding of the simulator, as a recorder stores them."""

from datetime import datetime

from poller.simulator.truth.funding import funding
from poller.simulator.truth.listing import second_of
from store.file.database import Database
from store.instants import HOUR
from store.kinds import FUNDING
from store.ledger import arrivals
from store.market.entries import append_new
from store.models import Snapshot, to_column
from store.prices.candles import floor
from tests.support.market import futures


def record_futures(database: Database, *times: datetime, currency: str = "BTC") -> list[Snapshot]:
    """Snapshots of instants that are multiples of 2 s."""
    snapshots = [futures(currency, at) for at in times]
    with database.write() as cursor:
        arrivals.append(cursor, snapshots)
    return snapshots


def record_funding(
    database: Database, end: datetime, hours: int, *, without: tuple[int, ...] = ()
) -> list[tuple[datetime, float]]:
    """The last whole hours before an instant, but for some of them, which are counted back from it.

    Returns:
        The end of each hour with its rate, ascending.
    """
    ends = [floor(end, HOUR) - back * HOUR for back in reversed(range(hours)) if back not in without]
    known = [(at, funding("BTC", second_of(at), 1)) for at in ends]
    rows = [("BTC-PERPETUAL", to_column(at), 100_000.0, rate, None, "simulator") for at, rate in known]
    with database.write() as cursor:
        append_new(cursor, FUNDING, rows)
    return known
