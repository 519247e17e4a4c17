"""The notice of a recorder: that of a file, and an example of one that is recording."""

from store.file.database import Database
from store.file.recorder import Notice, read_notice
from tests.conftest import START

OTHER_PID = 812


RECORDING = Notice(
    pid=OTHER_PID,
    mode="external",
    since=START,
    poll_seconds=5,
    indexes=("btc_usd", "eth_usd"),
    version="0.1.0",
    state="recording",
    state_since=START,
)


def notice(database: Database) -> Notice:
    """The notice of the recorder of a file."""
    found = read_notice(database.path)
    assert found is not None
    return found
