"""The text of a foreign file: its encoding, its line ends, and whether its last line is whole."""

import codecs
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store.errors import FileError

LINE_END = re.compile("\r\n|\n|\r")
"""What ends a line; Python's own `splitlines` knows more, such as a form feed."""

_HEAD = 1 << 18
_TAIL = 1 << 16
_PIECE = 1 << 20

_MARKS: Mapping[bytes, str] = {  # the longer ones first: the mark of UTF-32 begins like that of UTF-16
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CALLED: Mapping[str, str] = {
    "utf-8": "UTF-8",
    "utf-8-sig": "UTF-8",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32": "UTF-32",
    "cp1252": "Latin-1",
}

# An ASCII text in UTF-16 has a NUL in each second byte. A damaged text has a few. After a loss of power a file may end
# in blocks of NULs, which say nothing.
_OF_UTF16 = 0.3
_OF_TEXT = 0.01


@dataclass(frozen=True, slots=True)
class Text:
    """A file of lines.

    Attributes:
        path: of the file itself if DuckDB can read it, else of a copy in UTF-8 with line feeds.
        head: its first lines; the last of them may be cut.
        encoding: in words.
        cut: the last line, if it has no line end and so may be cut; None if it has one.
    """

    path: Path
    head: str
    encoding: str
    cut: str | None


def text_of(path: Path, folder: Path, called: str) -> Text:
    """Find out how a text is written, and copy it into UTF-8 if it is written otherwise.

    Raises:
        FileError: it is no text, or empty.
    """
    encoding = _encoding(path, called)
    if encoding != "utf-8":
        path = in_utf8(path, folder, encoding)
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        head = file.read(_HEAD)
    if not head.strip():
        raise FileError(f"{called} is empty")
    return Text(path, head, _CALLED[encoding], _cut(path))


def in_utf8(path: Path, folder: Path, encoding: str = "utf-8") -> Path:
    """A copy of a text in UTF-8, with a line feed after each line."""
    target = folder / f"{path.name}.text"
    with (
        path.open(encoding=encoding, errors="replace", newline=None) as source,
        target.open("w", encoding="utf-8", newline="\n") as copy,
    ):
        while piece := source.read(_PIECE):
            copy.write(piece)
    return target


def _encoding(path: Path, called: str) -> str:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    head = head.rstrip(b"\0")
    even, odd, most = head[::2].count(0), head[1::2].count(0), _OF_TEXT * len(head)
    for encoding, nuls, others in (("utf-16-be", even, odd), ("utf-16-le", odd, even)):
        if nuls > _OF_UTF16 * len(head) and others <= most:
            return encoding
    if even + odd > most:
        raise FileError(f"{called} is neither Parquet nor Excel nor a text such as CSV")
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _cut(path: Path) -> str | None:
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - _TAIL))
        tail = file.read().decode(errors="replace")
    return None if tail.endswith(("\n", "\r")) else LINE_END.split(tail)[-1]
