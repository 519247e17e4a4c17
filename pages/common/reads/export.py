"""How large an export will be, and the export itself as it is made."""

import streamlit as st

from pages.common.access import database, exports
from pages.common.moments import now
from store.errors import NoDatabaseError
from store.export import selection, survey
from store.export.files import Job
from store.export.query import ExportQuery
from store.export.survey import Estimate


@st.cache_data(ttl="10s", max_entries=1, show_spinner=False)
def snapshot_feeds() -> list[str]:
    """The feeds that have snapshots, by name, as it was some seconds ago.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return selection.snapshot_feeds(cursor)
    except NoDatabaseError:
        return []


@st.cache_data(ttl="60s", max_entries=64, show_spinner=False)
def estimate(query: ExportQuery) -> Estimate:
    """About how large an export will be.

    Raises:
        StoreError: the database can't be read; one that does not exist yet is not an error.
    """
    try:
        with database().read() as cursor:
            return survey.estimate(cursor, query.closed(now()))
    except NoDatabaseError:
        return Estimate(0, 0)


@st.cache_resource(ttl="1h", max_entries=64, show_spinner=False)
def export_job(query: ExportQuery) -> Job:
    """The export that a query asks for, being made since the first visitor asked. Forget it by `export_job.clear`."""
    return Job(exports(), query)
