"""The columns of a foreign file that say which instrument a price is of."""

from settings import is_index_name
from store.errors import FileError
from store.intake.files import times
from store.intake.files.numbers import is_number

from .contents import KNOWN_AS, Contents, some

_CALLED = (*KNOWN_AS["index"], "instrument", "instrument_name", "pair", "market", "asset", "coin", "product_id")
_DISTINCT = "SELECT DISTINCT {place} FROM read_parquet($path) AS file({places})"


def of_one(contents: Contents, index_name: str) -> str:
    """What a column of instruments has, in words, if the user names the index of all prices; empty without one.

    Raises:
        FileError: it has several.
    """
    words, by_name = "", contents.by_name
    for name in (by_name[each] for each in _CALLED if each in by_name):
        found = _instruments(contents, name)
        if len(found) > 1:
            raise FileError(
                f"{_several(contents, name, found)}, and --index {index_name} would make them one: "
                "import a file of each, with its own --index"
            )
        words += f"; column {name!r} has {some(found)}" if found else ""
    return words


def refuse_other_names(contents: Contents, name: str) -> None:
    """Refuse a column of index names that has none.

    Raises:
        FileError: it says what the column has.
    """
    texts = contents.texts.get(name)
    if not texts or any(is_index_name(text.strip()) for text in texts):
        return
    found = _instruments(contents, name)
    if len(found) > 1:
        raise FileError(
            f"{_several(contents, name, found)}, and none is an index name such as btc_usd: "
            "import a file of each, and name its index with --index"
        )
    raise FileError(
        f"{contents.called}: its column {name!r} has {some(texts)}, which is no index name such as btc_usd; "
        "name another column with --index-column, or the index with --index"
    )


def _instruments(contents: Contents, name: str) -> list[str]:
    """The different texts of a column; none if its texts are numbers or times."""
    texts = contents.texts.get(name, ())
    if not texts or all(is_number(text) or times.is_time(text) for text in texts):
        return []
    cells = {(text or "").strip() for (text,) in contents.of_columns(_DISTINCT, place=contents.places[name])}
    return sorted(cells - {"", name})


def _several(contents: Contents, name: str, found: list[str]) -> str:
    return f"{contents.called}: its column {name!r} has {len(found)} instruments, {some(found)}"
