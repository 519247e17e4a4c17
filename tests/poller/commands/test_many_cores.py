"""Memory stays bounded on a machine with many cores: DuckDB has buffers for each of its threads."""

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from settings import ROOT
from tests.conftest import in_whole

THREADS, MOST_MB = 64, 600

_COMMAND = f"""
import re, sys
import duckdb
connect = duckdb.connect
duckdb.connect = lambda database=":memory:", read_only=False, config=None: connect(
    database, read_only, {{**(config or {{}}), "threads": {THREADS}}}
)
from poller.commands.main import main
main(sys.argv[1:], standalone_mode=False)
with open("/proc/self/status") as status:  # ru_maxrss begins with that of the process that started this one
    print(int(re.search(r"VmHWM:\\s+(\\d+)", status.read())[1]) // 1024)
"""

_UNSORTED = """
COPY (
    SELECT TIMESTAMP '2026-01-01' + to_seconds(second) AS ts, 1 + random() AS price
    FROM range(2_000_000) seconds(second)
    ORDER BY hash(second)
) TO '{path}'
"""


@in_whole
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the most memory of one program")
@pytest.mark.parametrize("name", ["prices.csv", "prices.parquet"])
def test_commands_on_two_million_unsorted_rows_work_with_many_threads(tmp_path: Path, name: str):
    path = tmp_path / name
    with duckdb.connect() as writer:
        writer.execute(_UNSORTED.format(path=path))
    environment = {"TICKWELL_DATABASE": str(tmp_path / "ticks.duckdb"), "PATH": ""}

    for arguments in (
        ("import", "--index", "btc_usd", str(path)),
        ("rebuild",),
        ("backup", str(tmp_path / "backup")),
        ("export", "--to", str(tmp_path / "all.parquet")),
        ("restore", str(tmp_path / "backup"), "--into", str(tmp_path / "new.duckdb")),
    ):
        done = subprocess.run(
            [sys.executable, "-c", _COMMAND, *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.splitlines()[-1]) <= MOST_MB, arguments
