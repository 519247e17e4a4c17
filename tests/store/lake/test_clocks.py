"""With a clock that is off nothing is published: times of the lake would be wrong."""

import contextlib
import http.server
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from store.errors import StoreError
from store.file.recorder import Notice, RecorderLock
from store.lake.connection import Lake
from store.lake.notice import read_notice
from store.models import utc_now
from tests.conftest import START
from tests.store.lake.recordings import everything_in, observe, record_everything, share
from tests.support.lakes import IMPATIENT
from tests.support.servers import BUCKET

SECOND = timedelta(seconds=1)

# What Amazon S3 answers, as its page on error responses has it (read 2026-12).
TOO_SKEWED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>RequestTimeTooSkewed</Code>'
    b"<Message>The difference between the request time and the current time is too large.</Message></Error>"
)


def with_clock(place, off: timedelta) -> Lake:
    """The lake, on a machine whose clock is off."""
    return Lake(place.url, place.keys, patience=IMPATIENT, recorder="unnamed", clock=lambda: utc_now() + off)


@contextlib.contextmanager
def recorder_of(database: Path, skew_s: float) -> Iterator[None]:
    """A recorder is at work on a file, and found its machine's clock to be behind the exchange's by so much."""
    lock = RecorderLock(database)
    lock.acquire(Notice(1, "external", START, 5, ("btc_usd",), "1", "recording", START, skew_s=skew_s))
    try:
        yield
    finally:
        lock.release()


@pytest.fixture
def skewed_bucket() -> Iterator[str]:
    """The address of a bucket whose clock is far from everybody's."""

    class Refusing(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(403)
            self.send_header("Content-Length", str(len(TOO_SKEWED)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(TOO_SKEWED)

        do_PUT = do_POST = do_HEAD = do_GET  # noqa: N815 the names are those of the library

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("off", "words"),
    [(7203 * SECOND, "2 h ahead of"), (-7203 * SECOND, "2 h behind"), (65 * SECOND, "1 min 5 s ahead of")],
)
def test_nothing_is_published_with_a_clock_that_is_off(file, place, lake, off, words):
    database = file("a")
    record_everything(database)

    with pytest.raises(StoreError) as refused:
        share(database, with_clock(place, off))

    off_by = f"this machine's clock is {words} PostgreSQL's, and 1 min is allowed"
    line = f"{off_by}: set that clock right; nothing was published"
    assert str(refused.value) == line
    assert not any(everything_in(lake).values())
    assert (read_notice(database.path).trouble, read_notice(database.path).shared_to) == (line, None)


def test_a_clock_within_a_minute_publishes_and_one_that_was_set_right_goes_on(file, place, lake):
    database = file("a")
    observe(database, [1])
    assert share(database, with_clock(place, -50 * SECOND)).rows > 0
    observe(database, [2])
    with pytest.raises(StoreError, match="behind PostgreSQL's"):
        share(database, with_clock(place, -70 * SECOND))

    assert share(database, lake).rows == 1


def test_a_recorder_that_knows_how_far_its_clock_is_off_publishes(file, place, lake):
    database = file("a")
    observe(database, [1])
    with recorder_of(database.path, skew_s=7200.0):
        assert share(database, with_clock(place, -7200 * SECOND)).rows > 0


def test_a_recorder_that_has_the_exchanges_time_blames_postgresql(file, place, lake):
    database = file("a")
    with recorder_of(database.path, skew_s=0.0), pytest.raises(StoreError) as refused:
        share(database, with_clock(place, 7203 * SECOND))

    assert str(refused.value).startswith("PostgreSQL's clock is 2 h behind the exchange's, and 1 min is allowed: ")


def test_a_bucket_that_refuses_the_clock_is_told_in_one_line(place, skewed_bucket):
    lake = place.lake(endpoint=skewed_bucket)

    with pytest.raises(StoreError) as refused, lake.made(f"s3://{BUCKET}/skewed"):
        pass

    line = "its bucket refuses the clock of this machine, which is too far from its own: set the clock right"
    assert str(refused.value) == f"{lake.where}: {line}"


def test_a_publication_to_a_bucket_that_refuses_the_clock_is_told_in_one_line(file, place, lake, skewed_bucket):
    database = file("a")
    observe(database, [1])

    with pytest.raises(StoreError, match="its bucket refuses the clock of this machine"):
        share(database, place.lake(endpoint=skewed_bucket))

    assert share(database, lake).rows > 0
