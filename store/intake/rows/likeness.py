"""Whether a file is of the tool that the user names."""

from collections.abc import Collection, Sequence

from store.errors import FileError
from store.intake.files.candles import LAYOUTS, Layout, fits

from .contents import Contents, all_names

_BY_HAND = "leave out --like, and name its columns with --time and --price"


def refuse_unlike(contents: Contents, like: str | None) -> None:
    """Refuse a file without a column that all files of the named tool have.

    Raises:
        FileError: it says which tools the file's columns are like.
    """
    lacks = None if like is None else _lack(LAYOUTS[like], contents.by_name)
    if lacks is not None:
        others = [tool for tool, layout in LAYOUTS.items() if _lack(layout, contents.by_name) is None]
        raise FileError(
            f"{contents.called} is not like {like}: it has no {lacks}; it has {all_names(contents)}: {_instead(others)}"
        )


def refuse_rows_unlike(rows: Sequence[Sequence[str]], like: str, called: str) -> None:
    """Refuse rows without names whose candles stand elsewhere than in files of the named tool.

    Raises:
        FileError: it says which tools the rows are like.
    """
    alike = [tool for tool, layout in LAYOUTS.items() if layout.names and fits(rows, layout.names.index("open"))]
    if rows and like not in alike:
        first = ", ".join(rows[0])
        raise FileError(
            f"{called} is not like {like}: its columns have no names, and its first row is {first}: {_instead(alike)}"
        )


def _lack(layout: Layout, names: Collection[str]) -> str | None:
    """A column that a tool's files have, and these columns are not; None if nothing is missing."""
    missing = [name for name in (*layout.needs, layout.price) if name not in names]
    if not missing and not {*layout.time} & {*names}:
        missing = [" or ".join(layout.time)]
    return missing[0] if missing else None


def _instead(tools: Sequence[str]) -> str:
    return f"say --like {' or '.join(tools)}" if tools else _BY_HAND
