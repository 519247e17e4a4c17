"""A recorder that starts on a database of the first version keeps recording in it, and heals what it can."""

import signal

from store.file.database import Database
from store.instants import EPOCH
from store.ledger import gaps
from store.models import utc_now
from store.prices import candles, ticks
from tests.conftest import Program, wait_until
from tests.store import first_version


def test_a_recorder_brings_the_first_version_up_to_date_and_keeps_every_tick(database_file, simulator):
    first_version.unpack(database_file)
    before, database, began = first_version.ticks_in(database_file), Database(database_file), utc_now()
    settings = {"database": database_file, "deribit_url": simulator.url, "poll_seconds": 1, "indexes": "btc_usd"}

    def closed() -> bool:
        with database.read() as cursor:
            found = gaps.ledger(cursor, EPOCH, first_version.END, utc_now(), {"btc_usd"})
            new = ticks.history(cursor, "btc_usd", began, utc_now())
            folded = (candles.closed_to(cursor) or EPOCH) >= first_version.END
        return folded and bool(new) and len(found) == 3 and not any(gap.state == "open" for gap in found)

    with Program("poller", **settings) as program:
        wait_until(lambda: first_version.is_up_to_date(database) and closed(), timeout_s=60, look_again_s=0.2)
        code, _, said = program.stop(signal.SIGTERM)

    assert (code, "Traceback" in said) == (0, False), said
    assert first_version.ticks_in(database_file) == before
    assert first_version.unequal_candles(database_file) == []
