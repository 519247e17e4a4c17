"""What a recorder hands to its recording."""

from collections.abc import Sequence
from dataclasses import dataclass

from poller.alerts.judging import Alerts
from poller.exchange.client import DeribitClient
from poller.exchange.clock import ExchangeClock
from poller.feeds.feed import Feed
from poller.feeds.log import LogFeed
from poller.journal.journal import Journal
from settings import Settings
from store.file.database import Database
from store.file.recorder import RecorderLock

from .board import Board
from .limits import Limits


@dataclass(frozen=True)
class Parts:
    """The parts of a recorder that its recording uses."""

    settings: Settings
    feeds: Sequence[Feed]
    logs: Sequence[LogFeed]
    database: Database
    lock: RecorderLock
    board: Board
    clock: ExchangeClock
    client: DeribitClient
    journal: Journal
    alerts: Alerts
    limits: Limits
