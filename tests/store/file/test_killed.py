"""A tick that was acknowledged survives a kill -9, and the file is free at once."""

import time

import pytest

from store.file.database import Database
from tests.store.processes import COPIES, line, start


@pytest.mark.parametrize("how", ["leased", "held"])
def test_a_kill_frees_the_file_at_once_and_loses_nothing_that_was_acknowledged(database, how):
    acknowledged = -1
    for lines in (2, 19):
        with start("append_until_killed", database.path, how) as program:
            for _ in range(lines):
                acknowledged = int(line(program))
            program.process.kill()
            rest = program.finish()[1].split()
            acknowledged = int(rest[-1]) if rest else acknowledged

            started = time.monotonic()
            with Database(database.path).read() as cursor:
                waited_s = time.monotonic() - started
                whole = cursor.execute(
                    "SELECT ts, count(DISTINCT index_name), count(*) FROM ticks GROUP BY ts ORDER BY ts"
                ).fetchall()

        assert waited_s < 1
        assert {(distinct, rows) for _, distinct, rows in whole} == {(COPIES, COPIES)}
        assert acknowledged + 1 <= len(whole) <= acknowledged + 2  # the commit that the kill met may be in or out
        assert (whole[-1][0] - whole[0][0]).total_seconds() == len(whole) - 1
