"""The feeds that the settings ask for. Only this module turns settings into feeds."""

from datetime import timedelta

from settings import Settings

from .feed import Feed
from .index import index_feeds


def feeds_of(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of a recorder. Feeds of one period are asked in this order."""
    return index_feeds(settings.indexes, timedelta(seconds=settings.poll_seconds))
