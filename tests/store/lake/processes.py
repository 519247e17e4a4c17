"""A publisher in a process of its own. It publishes without a pause, and prints a line each time, until it is killed.

`python -m tests.store.lake.processes <file> <catalog> <endpoint> <key> <secret>`
"""

import sys
from pathlib import Path

from settings import BucketKeys
from store.file.database import Database
from store.lake.connection import Lake
from tests.store.lake.recordings import share

if __name__ == "__main__":
    path, url, endpoint, key_id, secret = sys.argv[1:]
    database, lake = Database(Path(path)), Lake(url, BucketKeys(key_id, secret, "", "us-east-1", endpoint))
    while True:
        print(share(database, lake).rows, flush=True)
