"""Foreign text fits into a log, a page and the database."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from poller.words import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("words", "words"),
        ("bad \ud83d name", "bad \ufffd name"),
        ("a pair \ud83d\ude00", "a pair 😀"),
        ("bad \x00 name", "bad name"),
        ("two\r\nlines\u2028or three", "two lines or three"),
        ("\x1b[31mred\u202e", "[31mred"),
        ("x" * 1_000_000, "x" * 200),
        (" " * 1_000_000, ""),
        ("Größe 🙂", "Größe 🙂"),
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_a_text_becomes_a_line(text, line):
    assert one_line(text) == line


@given(st.text(st.characters(codec=None, exclude_categories=()), max_size=300), st.integers(1, 300))
def test_any_text_becomes_printable_utf_8_of_bounded_length(text, longest):
    line = one_line(text, longest)

    assert len(line) <= longest
    assert line.isprintable()
    assert line.encode().decode() == line
