"""A damaged file costs at most a line of refusal, and nothing is read from it that is not in it."""

import contextlib
import os
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from store.errors import FileError
from store.intake.rows.foreign import Columns
from tests.conftest import WHOLE
from tests.store.intake.test_kinds import KINDS, epoch, french, german, iso, lines, with_commas, written_as
from tests.support.foreign_files import ready_in, ticks_of

SEEDS = int(os.environ.get("SEEDS") or (8 if WHOLE else 2))
"""With 100 some 11,000 files are damaged, which takes ten minutes."""

pytestmark = pytest.mark.timeout(900)

TEXTS: Sequence[str] = (
    lines(iso),
    lines(epoch(1)),
    lines(epoch(1000), header="ts\tprice", separator="\t"),
    lines(written_as("%d.%m.%Y %H:%M:%S"), header="ts;price", separator=";", price=german),
    lines(written_as("%m/%d/%Y %I:%M:%S %p"), price=lambda price: f'"${price:,}"'),
    lines(written_as("%Y%m%d%H%M%S"), header="ts;price", separator=";", price=french),
    lines(lambda ts: f"{ts:%Y-%m-%d %H:%M:%S}+00:00", header='"ts";"price"', separator=";", price=with_commas),
    "A report,\n" + lines(iso, end="\r\n"),
)
DAYS = ("%Y/%m/%d", "%d/%m/%Y", "%m/%d/%Y", "%Y%m%d")
CLOCKS = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I %p", "%H%M", "%H%M%S")
FORMS = [day + clock for day in DAYS for clock in CLOCKS]
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "cp1252", "utf-7")


def drawn(*words: object) -> random.Random:
    """What a test draws: the same in each run."""
    return random.Random(repr(words))  # noqa: S311 nothing is secret here


def flipped(content: bytes, draw: random.Random) -> bytes:
    damaged = bytearray(content)
    for _ in range(draw.randint(1, 4)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def cut(content: bytes, draw: random.Random) -> bytes:
    return content[: draw.randrange(1, len(content))]


def without_a_piece(content: bytes, draw: random.Random) -> bytes:
    first = draw.randrange(len(content))
    return content[:first] + content[first + draw.randint(1, 30) :]


def with_a_piece_twice(content: bytes, draw: random.Random) -> bytes:
    first, to = draw.randrange(len(content)), draw.randrange(len(content))
    return content[:to] + content[first : first + draw.randint(1, 60)] + content[to:]


def joined(content: bytes, draw: random.Random) -> bytes:
    return cut(content, draw) + draw.choice(TEXTS).encode(draw.choice(ENCODINGS), errors="replace")


def encoded(content: bytes, draw: random.Random) -> bytes:
    return content.decode(errors="replace").encode(draw.choice(ENCODINGS), errors="replace")


MOST_MB = 600
"""What an import may take with 256 MB for DuckDB."""


@contextlib.contextmanager
def little_memory() -> Iterator[None]:
    """Check that the work inside takes no more memory than an import may. Only Linux tells."""
    if not sys.platform.startswith("linux"):
        yield
        return
    Path("/proc/self/clear_refs").write_text("5")  # the most memory counts from now on
    before = most_memory_mb()
    try:
        yield
    finally:
        assert most_memory_mb() - before < MOST_MB


def most_memory_mb() -> float:
    (most_kb,) = re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(most_kb) / 1000


DAMAGES: Sequence[Callable[[bytes, random.Random], bytes]] = (
    flipped,
    cut,
    without_a_piece,
    with_a_piece_twice,
    joined,
    encoded,
)


def rows_by_hand(content: bytes) -> set[tuple[datetime, float]]:
    """Each pair of a time and a price that stand beside each other, in any reading of the text."""
    found = set()
    for encoding in ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "cp1252"):
        for line in re.split("[\r\n]", content.decode(encoding, errors="replace")):
            for sign in ",;\t|":
                time, _, price = line.partition(sign)
                found |= {(ts, value) for ts in _times(time) for value in _prices(price)}
    return found


def _times(text: str) -> Iterator[datetime]:
    text = re.sub(r"^(\d+)[-/.](\d+)[-/.]", r"\1/\2/", text.strip(' "\ufeff'))
    if re.fullmatch(r"\d+(\.\d*)?", text) and float(text) < 1e19:
        number = float(text)
        yield datetime.fromtimestamp(number / next(unit for unit in (1, 1e3, 1e6, 1e9) if number < 1e11 * unit), UTC)
    zoned = re.fullmatch(r"(.*?) *(?:z|utc|gmt|([+-])([01]\d):?(\d\d)?)?", text, re.IGNORECASE | re.DOTALL)
    assert zoned
    local, sign, hours, minutes = zoned.groups()
    ahead = timedelta(hours=int(f"{sign}{hours}"), minutes=int(f"{sign}{minutes or 0}")) if hours else timedelta()
    for form in FORMS:
        with contextlib.suppress(ValueError):
            yield datetime.strptime(local, form).replace(tzinfo=UTC) - ahead


def _prices(text: str) -> Iterator[float]:
    """A price in each reading: its fields may go on after it."""
    for sign in ("\n", *",;\t|"):
        field = text.partition(sign)[0].strip(' "$€£\u202f\xa0')
        for groups in (",", ".", " ", "'", "\u202f", "\xa0", ""):
            for point in ".,":
                with contextlib.suppress(ValueError):
                    yield float((field.replace(groups, "") if groups else field).replace(point, "."))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_nothing_is_read_from_a_damaged_text_that_is_not_in_it(tmp_path, damage):
    path, read = tmp_path / "prices", 0
    for seed in range(SEEDS):
        for content in TEXTS:
            path.write_bytes(damage(content.encode(), drawn(seed, content)))
            with contextlib.suppress(FileError):
                with little_memory():
                    found = ticks_of(ready_in(path, tmp_path))
                assert set(found) <= rows_by_hand(path.read_bytes()), path.read_bytes()
                read += len(found)

    assert read > 0


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_file_of_any_kind_is_read_or_refused_in_one_line(tmp_path, damage):
    path = tmp_path / "prices"
    for kind in KINDS[:: 1 if WHOLE else 5]:
        for seed in range(1 + SEEDS // 10):
            path.write_bytes(damage(kind.bytes, drawn(seed, kind.name)))
            try:
                with little_memory():
                    ready_in(path, tmp_path, Columns(**kind.columns))
            except FileError as refused:
                assert "\n" not in str(refused)  # noqa: PT017 most of these files are read
