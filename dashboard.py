"""The door. `streamlit run dashboard.py` imports this module for the server, and runs it as the script of every page.

On import it builds `app`: the pages, the API under /api, and, from the server's start to its end, the recorder or a
watchdog over a recorder in another process. As the page script it lists the pages. A host that ignores `app` runs it as
a plain script; then the first visit starts the recorder or the watchdog.
"""

import contextlib
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Mount
from streamlit import config
from streamlit.runtime.pages_manager import PagesManager

import settings as all_settings
from api.app import create_app
from api.served import Served
from pages.common.chart.bundle import PLOTLY_FILE, PLOTLY_PATH, PLOTLY_URL
from pages.common.site import LOGO, PAGES
from poller.alerts.watchdog import start_watchdog
from poller.logs import configure_logging
from poller.recorder.embedded import Embedded, start_embedded
from server.base_path import BelowPath
from server.files import Uncompressed
from server.headers import SecurityHeaders
from server.hosts import Hosts, OwnNames
from server.page_sockets import PageSockets
from server.refreshes import Refreshes
from server.script import PreloadScript, script_route
from server.sockets import accept_long_cookies, answer_at_once
from store.errors import StoreError
from store.lake.reader import shared_record

log = logging.getLogger("tickwell.dashboard")


def own_names() -> OwnNames:
    """The names of this server that Streamlit's options give. browser.serverAddress counts only where it is set."""
    meant = [st.get_option("browser.serverAddress")] if config.is_manually_set("browser.serverAddress") else []
    return OwnNames(
        st.get_option("server.address"),
        reached_as=[*meant, *st.get_option("server.allowedHosts")],
        also=st.get_option("server.corsAllowedOrigins"),
    )


@contextlib.asynccontextmanager
async def lifespan(_: st.App) -> AsyncIterator[dict[str, Any]]:
    """From the server's start to its end: read the settings, serve the API, record."""
    # Streamlit takes pages/ for its old kind of pages until a script has called st.navigation. Without this line, the
    # first visitor of a server gets a bare script for every page but the first.
    PagesManager.uses_pages_directory = False
    with exit_if_unusable():
        settings = all_settings.load_to_serve()
    configure_logging(settings.log_level)
    answer_at_once()
    accept_long_cookies()
    if settings.sign_in is not None:
        names.add(settings.sign_in.redirect_uri)
    api.state.served = Served(settings, shared_record(settings))
    recorder, watchdog = Embedded(settings), None
    try:
        with exit_if_unusable():
            recorder.start()
            watchdog = start_watchdog(settings)
    except StoreError as error:
        log.error("not recording: %s", error)  # noqa: TRY400 one line; the stored ticks can still be shown
    yield {}
    for started in (recorder, watchdog):
        if started is not None:
            started.stop()


@contextlib.contextmanager
def exit_if_unusable() -> Iterator[None]:
    """End the process with the lines that say what is wrong with the settings."""
    try:
        yield
    except all_settings.SettingsError as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.stderr.flush()
        os._exit(1)  # nothing runs yet, and an exception here would print three tracebacks around that line


def show_plainly(error: Exception) -> bool:
    """Show the reader that a page failed. Streamlit leaves the log to this function; the traceback goes there."""
    log.error("a page failed", exc_info=error)
    st.error(f"This page failed: {type(error).__name__}. The server's log says more.", icon=":material/error:")
    return True


def show() -> None:
    """Show the page that was asked for, under the title that all pages share."""
    from pages.common import access, address, ranges, sign_in
    from pages.common.header import title_row
    from pages.common.scripts import run_scripts
    from pages.common.words import text

    st.set_page_config(layout="wide", page_icon=LOGO)
    try:
        settings = access.settings_of_server()
        with contextlib.suppress(StoreError):  # the header says why
            start_embedded(settings)
        start_watchdog(settings)
    except all_settings.SettingsError as error:
        st.error("  \n".join(map(text.escaped, str(error).splitlines())), icon=":material/error:")
        return
    pages = [
        st.Page(
            all_settings.ROOT / page.path,
            title=page.title,
            icon=page.icon,
            help=page.line,
            visibility="visible" if page.listed else "hidden",
        )
        for page in PAGES
    ]
    admitted = sign_in.admits(settings)
    page = st.navigation(pages, position="top" if admitted else "hidden")
    st.logo(LOGO, size="large")
    if not admitted:
        sign_in.ask(settings)
        return
    run_scripts()
    if address.arrive(page.url_path):
        ranges.forget_shown()
    title_row(page.title)
    page.run()


if __name__ == "__main__":
    show()
else:
    with exit_if_unusable():
        all_settings.check_secrets()  # Streamlit reads them before `lifespan`, and then answers every request with 500
    names = own_names()
    api = create_app()
    app = st.App(
        __file__,
        lifespan=lifespan,
        routes=[script_route(PLOTLY_PATH, PLOTLY_FILE), Mount("/api", api)],
        middleware=[
            Middleware(BelowPath, base=st.get_option("server.baseUrlPath"), ours="/api"),
            Middleware(SecurityHeaders, api="/api"),
            Middleware(Hosts, names=names),
            Middleware(PageSockets, origins=st.get_option("server.corsAllowedOrigins")),
            Middleware(Refreshes),
            Middleware(PreloadScript, url=PLOTLY_URL),
            Middleware(Uncompressed, path="/api/export"),
        ],
        on_script_error=show_plainly,
    )
