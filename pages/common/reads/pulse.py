"""How recording goes, as the header of each page tells it."""

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from pages.common.access import database, settings
from store.errors import NoDatabaseError
from store.file.aside import list_aside
from store.file.database import Cursor
from store.file.exchange import exchange_of
from store.file.recorder import Notice, read_notice
from store.models import Exchange, Tick
from store.prices import ticks


@dataclass(frozen=True)
class Pulse:
    """How recording goes: the recorder's notice, damaged files, when the newest tick was, and of which exchange."""

    notice: Notice | None
    set_aside: list[str]
    newest: datetime | None = None
    exchange: Exchange | None = None


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def read_pulse(at: datetime) -> Pulse:
    """How recording goes at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    del at
    notice, set_aside = read_notice(database().path), list_aside(database().path)
    try:
        with database().read() as cursor:
            newest = [tick.ts for name in settings().indexes if (tick := _observed(cursor, name))]
            return Pulse(notice, set_aside, max(newest, default=None), exchange_of(cursor))
    except NoDatabaseError:
        return Pulse(notice, set_aside)


def _observed(cursor: Cursor, index_name: str) -> Tick | None:
    tick = ticks.latest(cursor, index_name)
    return tick if tick and not tick.resolution_s else None
