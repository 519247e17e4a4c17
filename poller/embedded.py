"""The recorder inside a dashboard's process."""

import atexit
import logging

from settings import Settings
from store import RecorderError
from store.recorder import read_notice
from store.shared import shared_database

from .recorder import Recorder

log = logging.getLogger("tickwell.recorder")


def start_embedded(settings: Settings) -> Recorder | None:
    """Record from this process, unless the settings leave that to another one, or another one already does.

    It may be called at each run of a page script: the recorder lock keeps the recorder single. Whoever starts one need
    not stop it; it then stops with the process.

    Raises:
        StoreError: the database's folder can't be read or written.
    """
    if settings.poller != "embedded":
        return None
    notice = read_notice(settings.database)
    if notice is not None and notice.alive:
        return None
    recorder = Recorder(settings, shared_database(settings.database, settings.memory_limit), "embedded")
    try:
        recorder.start()
    except RecorderError as error:
        log.warning("%s", error)
        return None
    atexit.register(recorder.stop)
    return recorder
