"""Asks for book summaries that are newer than their slot."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from poller.exchange.client import DeribitClient
from poller.exchange.market.summaries import Book, Summaries
from poller.timing.slots import slot_of
from store.models import Snapshot


def asking(book: Book, currency: str, period: timedelta) -> Callable[[DeribitClient], Awaitable[Snapshot]]:
    """A function that asks for the summaries of a currency, and again while they are older than the present slot."""
    summaries = Summaries(book, currency)

    async def ask(client: DeribitClient) -> Snapshot:
        return await summaries.ask_since(client, slot_of(client.now(), period))

    return ask
