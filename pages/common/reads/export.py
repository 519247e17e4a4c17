"""How large an export will be, and the export itself as it is made."""

import streamlit as st

from pages.common.access import database, exports, settings
from pages.common.moments import now
from store.errors import NoDatabaseError
from store.export import selection, survey
from store.export.files import Job
from store.export.query import ExportQuery
from store.export.survey import Estimate


def other_feeds() -> list[str]:
    """The feeds with rows that are no ticks, by name, as it was some seconds ago.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _other_feeds()


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def _other_feeds() -> list[str]:
    try:
        with database().read() as cursor:
            return selection.other_feeds(cursor)
    except NoDatabaseError:
        return []


def estimate(query: ExportQuery) -> Estimate:
    """About how large an export will be.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    settings()
    return _estimate(query)


@st.cache_data(ttl="60s", max_entries=64, show_spinner=False)
def _estimate(query: ExportQuery) -> Estimate:
    try:
        with database().read() as cursor:
            return survey.estimate(cursor, query.closed(now()))
    except NoDatabaseError:
        return Estimate(0, 0)


def start_export(query: ExportQuery) -> Job:
    """The export that a query asks for: the one that another visitor started, unless it failed, or a new one."""
    settings()
    job = _job(query)
    if job.failure:
        _job.clear(query)
        job = _job(query)
    return job


@st.cache_resource(ttl="1h", max_entries=64, show_spinner=False)
def _job(query: ExportQuery) -> Job:
    return Job(exports(), query)
