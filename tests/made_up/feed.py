"""The feed of the moons, the part that the poller needs."""

from datetime import timedelta
from functools import partial

from poller.exchange.client import DeribitClient
from poller.exchange.wire import instant, items, price
from poller.feeds.feed import Feed
from store.ledger import arrivals
from store.models import Snapshot


def moon_feed(planet: str, period: timedelta) -> Feed:
    """A feed of the moons of a planet."""
    return Feed(f"moons/{planet}", period, ask=partial(ask, planet=planet), append=arrivals.append)


async def ask(client: DeribitClient, planet: str) -> Snapshot:
    """Each moon with its phase and its time of rise, from a list of [name, phase, milliseconds]."""
    reply = await client.ask("get_moons", planet=planet)
    asked = f"get_moons {planet}"
    rows = [
        (name, price(phase, asked, "phase"), instant(rises_at, 1e3, asked, "rises_at"))
        for name, phase, rises_at in items(reply.result, asked, "result")
    ]
    return Snapshot(f"moons/{planet}", reply.sent_at, client.local(), tuple(rows), reply.exchange.source)
