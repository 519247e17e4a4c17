"""How recording goes, as the header of each page tells it."""

from dataclasses import dataclass
from datetime import datetime

import streamlit as st

from pages.common.access import database, settings
from store.errors import NoDatabaseError, StoreError
from store.file.aside import list_aside
from store.file.exchange import exchange_of
from store.file.recorder import Notice, read_notice
from store.health.sharing import Sharing, sharing
from store.models import Exchange

from .recorded import newest_ticks


@dataclass(frozen=True)
class Pulse:
    """How recording goes.

    Attributes:
        notice: of the recorder.
        set_aside: damaged files.
        newest: the time of the newest tick.
        exchange: whose prices they are.
        shared: how far the file is shared; None where it is not to be shared.
    """

    notice: Notice | None
    set_aside: list[str]
    newest: datetime | None = None
    exchange: Exchange | None = None
    shared: Sharing | None = None


def read_pulse(at: datetime) -> Pulse:
    """How recording goes at this second.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()  # only for readers who may read, also where the answer is kept
    return _pulse(at)


def recorder_now() -> Notice | None:
    """The notice of the recorder; it stands in a file of its own, and can be read without the database.

    Raises:
        StoreError: the system refused to read it.
    """
    return read_notice(database().path)


def recorder_runs() -> bool:
    """Does a recorder run? Only then something is due.

    Raises:
        StoreError: the system refused to read its notice.
    """
    notice = recorder_now()
    return notice is not None and notice.alive


@st.cache_data(ttl="900ms", max_entries=1, show_spinner=False)
def poll_seconds() -> int:
    """The period of the recorder, which may have other settings than this server; else this server's, or a lake's."""
    try:
        notice = recorder_now()
    except StoreError:
        notice = None
    return notice.poll_seconds if notice else settings().period_to_read_s


@st.cache_data(ttl="900ms", max_entries=2, show_spinner=False)
def _pulse(at: datetime) -> Pulse:
    notice, set_aside, newest = recorder_now(), list_aside(database().path), newest_ticks(at)
    shared = sharing(settings(), at)
    observed = [newest[name].ts for name in settings().indexes if name in newest and not newest[name].resolution_s]
    try:
        with database().read() as cursor:
            return Pulse(notice, set_aside, max(observed, default=None), exchange_of(cursor), shared)
    except NoDatabaseError:
        return Pulse(notice, set_aside, shared=shared)
