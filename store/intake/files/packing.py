"""The packing of a foreign file, told by its first bytes, and the file without it.

A name says nothing: people rename files, and browsers unpack them on the way.
"""

import bz2
import contextlib
import errno
import gzip
import lzma
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from store.errors import FileError

_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_MOST_LAYERS = 3


def _zstd(path: Path) -> Any:
    import pyarrow as pa

    return pa.input_stream(str(path), compression="zstd")


_PACKED: Mapping[bytes, tuple[str, Callable[[Path], Any]]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"\x28\xb5\x2f\xfd": ("zstd", _zstd),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ\x00": ("xz", lzma.open),
}

_REFUSED: Mapping[bytes, str] = {
    b"\xd0\xcf\x11\xe0": "is an Excel file of the old kind: save it as .xlsx or CSV",
    b"SQLite format 3": "is an SQLite database: write its prices to CSV",
    b"7z\xbc\xaf\x27\x1c": "is packed by 7-Zip: unpack it",
    b"Rar!": "is packed by RAR: unpack it",
    b"ARROW1": "is an Arrow or Feather file: write it as Parquet",
    b"\x89HDF": "is an HDF5 file: write it as Parquet",
    b"%PDF": "is a PDF: get the prices as CSV",
    b"{": "is JSON: write its prices to CSV or Parquet",
    b"[{": "is JSON: write its prices to CSV or Parquet",
    b"[[": "is JSON: write its prices to CSV or Parquet",
    b"<!DOCTYPE": "is a page of HTML: get the prices as CSV",
    b"<html": "is a page of HTML: get the prices as CSV",
    b"<?xml": "is XML: get the prices as CSV",
}

_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_NOT_UNPACKED = (RuntimeError, NotImplementedError)
"""What zipfile raises of a password, and of a packing that it doesn't know."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A file without its packing.

    Attributes:
        path: of the file itself, or of a copy in the staging folder.
        kind: "parquet", "xlsx" or "text".
        packings: the names of the packings that were taken off, the outer one first.
    """

    path: Path
    kind: str
    packings: tuple[str, ...] = ()


def unpacked(path: Path, folder: Path) -> Unpacked:
    """Take the packing off a file.

    Args:
        path: of the file.
        folder: for the copy.

    Raises:
        FileError: the file is of a kind that is not read, or its packing is damaged.
    """
    with _in_one_line(path):
        found = Unpacked(path, "")
        while not found.kind:
            if len(found.packings) == _MOST_LAYERS:
                raise FileError(f"{path} is packed {_MOST_LAYERS} times and more: unpack it")
            found = _without_a_layer(found, path, folder)
        return found


def _without_a_layer(packed: Unpacked, path: Path, folder: Path) -> Unpacked:
    first = _first_bytes(packed.path)
    if first.startswith(_PARQUET):
        return Unpacked(packed.path, "parquet", packed.packings)
    if first.startswith(_ZIP):
        return _out_of_zip(packed, path, folder)
    for magic, (name, opener) in _PACKED.items():
        if first.startswith(magic):
            with contextlib.closing(opener(packed.path)) as source:
                return _copied(source, packed, folder, name)
    for magic, says in _REFUSED.items():
        if first.startswith(magic):
            raise FileError(f"{path} {says}")
    return Unpacked(packed.path, "text", packed.packings)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(16)


def _out_of_zip(packed: Unpacked, path: Path, folder: Path) -> Unpacked:
    with zipfile.ZipFile(packed.path) as archive:
        names = [each for each in archive.namelist() if not each.endswith("/") and not each.startswith("__MACOSX")]
        if "xl/workbook.xml" in names:
            return Unpacked(packed.path, "xlsx", packed.packings)
        if "content.xml" in names:
            raise FileError(f"{path} is an OpenDocument file: save it as .xlsx or CSV")
        if len(names) != 1:
            raise FileError(f"{path} has {len(names)} files in it: unpack it, and import them one by one")
        with archive.open(names[0]) as source:
            return _copied(source, packed, folder, "zip")


def _copied(source: Any, packed: Unpacked, folder: Path, packing: str) -> Unpacked:
    target = folder / f"unpacked-{len(packed.packings)}"
    with target.open("wb") as copy:
        shutil.copyfileobj(cast("BinaryIO", source), copy, 1 << 20)
    return Unpacked(target, "", (*packed.packings, packing))


@contextlib.contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except _NOT_UNPACKED as error:
        raise FileError(f"{path} has a password, or a packing that is not read: unpack it") from error
    except _DAMAGED as error:
        raise damaged(path) from error
    except OSError as error:
        if not is_of_system(error):
            raise damaged(path) from error
        raise FileError(f"{path} can't be read: {error.strerror}") from error


def is_of_system(error: Exception) -> bool:
    """Does an error come from the system, and not from a damaged file?

    Packings raise an OSError of their own without a number, and zipfile seeks where a damaged file points.
    """
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def damaged(path: Path | str) -> FileError:
    """The refusal of a file with a broken packing or format. The words of the library are left out."""
    return FileError(f"{path} is damaged, and may be cut: get the file anew")
