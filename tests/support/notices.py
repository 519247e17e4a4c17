"""What a recorder tells of itself."""

from store.file.recorder import Notice
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
