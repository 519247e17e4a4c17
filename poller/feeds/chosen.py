"""What the settings ask to record: the one place where that becomes feeds."""

from datetime import timedelta

from settings import Settings

from .feed import Feed
from .index import index_feeds


def feeds_of(settings: Settings) -> tuple[Feed, ...]:
    """The feeds of a recorder, those of one period in the order in which they are asked."""
    return index_feeds(settings.indexes, timedelta(seconds=settings.poll_seconds))
