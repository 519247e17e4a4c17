"""A restore from a lake in a process of its own, which kills itself after the second portion.

`python -m tests.store.lake.killed_restore <file> <catalog> <endpoint> <key> <secret>`
"""

import os
import signal
import sys
from pathlib import Path

from settings import BucketKeys
from store.backup.spare import restore_from_lake
from store.file.database import Database
from store.lake.connection import Lake


def end(done: int, _: int) -> None:
    if done == 2:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    path, url, endpoint, key_id, secret = sys.argv[1:]
    restore_from_lake(Lake(url, BucketKeys(key_id, secret, "", "us-east-1", endpoint)), Database(Path(path)), end)
