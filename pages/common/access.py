"""What pages receive: the server's settings, for readers who may read, and through them database and exports."""

from datetime import timedelta
from functools import cache

import streamlit as st

import settings as all_settings
from settings import Settings
from store.export.files import Exports
from store.export.shared import shared_exports
from store.file.database import Database
from store.file.shared import Readable, shared_database
from store.lake.reader import shared_record

from . import sign_in


@cache  # each read asks for them: Streamlit's own cache would take a tenth of a refresh
def settings_of_server() -> Settings:
    """The settings of this server, read once."""
    return all_settings.load_to_serve()


def settings() -> Settings:
    """The settings of this server, for a reader who may read. Every read calls this function.

    So a reader who signed out gets nothing from a live part of a page, and neither does a page's bare script on a host
    that runs such scripts.
    """
    settings = settings_of_server()
    if not sign_in.admits(settings):
        st.stop()
    return settings


def database() -> Readable:
    """What the pages of this server read: its database, or a lake."""
    return shared_record(settings())


def file() -> Database:
    """The database file of this server, for the notes that readers leave."""
    return shared_database(settings().database, settings().memory_limit)


def reads_lake() -> bool:
    """Does this server read a lake, which has nothing of what a recorder keeps for itself?"""
    return settings().poller == "lake"


def exports() -> Exports:
    """The exports of this server."""
    return shared_exports(database(), settings().exports_limit_bytes)


SELDOM = timedelta(seconds=5)
"""How often a page is refreshed whose own content does not change with each slot, for the state of the recorder."""


def refresh_every() -> timedelta:
    """How often a live part of a page is refreshed. A lake changes once a minute, and each look asks PostgreSQL."""
    return timedelta(seconds=15 if reads_lake() else min(settings().poll_seconds, 5))
