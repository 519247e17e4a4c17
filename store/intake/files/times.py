"""How the times of a text column are written, and the SQL that reads each of them as an instant or not at all."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# A number's size shows its unit: 10^11 as seconds is the year 5138, as milliseconds 1973.
FROM_NUMBER = """make_timestamp(CAST(round(CASE
            WHEN abs({number}) < 1e11 THEN {number} * 1e6
            WHEN abs({number}) < 1e14 THEN {number} * 1e3
            WHEN abs({number}) < 1e17 THEN {number}
            WHEN abs({number}) < 1e20 THEN {number} / 1e3
        END) AS BIGINT))"""
"""The instant that a number is. A number that would be before 2000 or in the future is judged later."""

# Excel shows 1704067200123 as 1.70407E+12, and saves that. Microseconds are what we store: 16 digits are all of them.
_KEPT = """length(regexp_replace(split_part(lower({text}), 'e', 1), '[^0-9]', '', 'g'))
            >= least(16, 1 + coalesce(TRY_CAST(split_part(lower({text}), 'e', 2) AS INTEGER), 0))"""

_ISO = r" *\d{4}-\d{1,2}-\d{1,2}([T ]+\d{1,2}:\d{2}(:\d{2}(\.\d*)?)?)?(Z| ?UTC| ?GMT|[+-](0\d|1[0-4])(:?[0-5]\d)?)? *"
_ISO_TEXT = re.compile(_ISO, re.ASCII)
_TIME_OF_DAY = re.compile(r"\s*\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?\s*([AaPp]\.?[Mm]\.?)?\s*", re.ASCII)
_DAY = re.compile(
    r"\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}|(19|20)\d{2}[01]\d[0-3]\d)( 00:00(:00)?)?\s*",
    re.ASCII,
)
_DAY_FIRST = re.compile(r"\s*(\d{1,2})([-/.])(\d{1,2})[-/.]\d{4}\b", re.ASCII)
_BEGIN = r"^\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\b"
_NUMBER = re.compile(r"\s*\d+(\.\d*)?([eE]\+?\d+)?\s*", re.ASCII)
_DAY_NUMBER = re.compile(r"\s*\d{5}([.,]\d*)?\s*", re.ASCII)
_CENTURY = (36_526, 73_051)
"""The first days of 2000 and of 2100, as Excel counts them."""
_COMPACT = re.compile(r"\s*(19|20)\d{2}[01]\d[0-3]\d([T ]?\d{4}(\d{2}(\.\d+)?)?Z?)?\s*", re.ASCII)

_AROUND = ' "'

_COMPACT_DAY = r"^\s*((?:19|20)\d\d)([01]\d)([0-3]\d)"

# Each replacement leaves a text alone that is not written so.
_TO_ISO = (
    (r"^\s*(\d{4})[/.](\d{1,2})[/.](\d{1,2})\b", r"\1-\2-\3"),
    (rf"{_COMPACT_DAY}[T ]?(\d\d)(\d\d)(\d\d(?:\.\d+)?)(Z?)\s*$", r"\1-\2-\3 \4:\5:\6\7"),
    (rf"{_COMPACT_DAY}[T ]?(\d\d)(\d\d)(Z?)\s*$", r"\1-\2-\3 \4:\5\6"),
    (rf"{_COMPACT_DAY}\s*$", r"\1-\2-\3"),
    (rf"{_COMPACT_DAY} (\d{{1,2}}:)", r"\1-\2-\3 \4"),
    (r"(\d)t(\d)", r"\1T\2"),
    (r"(\d)[,;] *(\d{1,2}:)", r"\1 \2"),
    (r"(:\d\d),(\d+)", r"\1.\2"),
    (r"(\d) *(?:UTC|GMT)? *([+-]\d\d:?\d\d)$", r"\1\2"),
    (r"(\d) ?z$", r"\1Z"),
)
_HALF_DAYS = (
    "%Y-%m-%d %I:%M:%S %p",
    "%Y-%m-%d %I:%M:%S.%f %p",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I-%p",
    "%Y-%m-%d %I %p",
)
_HALF = r"^(.*\d)[ -]*([AaPp])\.?[Mm]\.?$"


@dataclass(frozen=True, slots=True)
class Times:
    """How the times of a column are written.

    Attributes:
        odd: are there others than ISO 8601 and numbers?
        order: "dmy" or "mdy", the order of day and month in dates that end with the year; None without such dates.
        words: for people.
    """

    odd: bool
    order: str | None
    words: str

    def instant(self, text: str) -> str:
        """An SQL expression for the instant in a text, as a TIMESTAMP in UTC; NULL if there is none.

        A text without a zone is UTC, because the session's zone is. As TIMESTAMP, DuckDB 2.0 would drop an offset.
        """
        text = f"trim({text}, ' \"')" if self.odd else text
        iso = text
        if self.order is not None:
            order = r"\3-\2-\1" if self.order == "dmy" else r"\3-\1-\2"
            iso = f"regexp_replace({iso}, '{_BEGIN}', '{order}')"
        if self.odd:
            for pattern, replacement in _TO_ISO:
                iso = f"regexp_replace({iso}, '{pattern}', '{replacement}')"
        read = f"make_timestamp(epoch_us(TRY_CAST({iso} AS TIMESTAMPTZ)))"
        read = f"CASE WHEN regexp_full_match({iso}, '{_ISO}') THEN {read} END"
        if self.odd:
            halves = ", ".join(f"'{each}'" for each in _HALF_DAYS)
            half = f"regexp_replace(regexp_replace({iso}, '{_HALF}', '\\1 \\2M'), '(\\d)T', '\\1 ')"
            read = f"coalesce({read}, try_strptime({half}, [{halves}]))"
        number = FROM_NUMBER.format(number=f"TRY_CAST({text} AS DOUBLE)")
        kept = f"CASE WHEN NOT contains(lower({text}), 'e') OR {_KEPT.format(text=text)} THEN {number} END"
        if not self.odd:
            return f"CASE WHEN contains({text}, '-') THEN {read} ELSE {kept} END"
        numeric = f"TRY_CAST({text} AS DOUBLE) IS NOT NULL AND NOT regexp_full_match({text}, '{_COMPACT.pattern}')"
        return f"CASE WHEN {numeric} THEN {kept} ELSE {read} END"


def is_time(text: str) -> bool:
    """Is a text a time with its day, other than a number?"""
    return bool(_ISO_TEXT.fullmatch(text) or re.match(r"\s*(\d{4}|\d{1,2})[-/.]\d{1,2}[-/.]\d{1,4}\b", text, re.ASCII))


def is_day_number(text: str) -> bool:
    """Is a text a day of this century as Excel counts them, such as 45678.5? As seconds it would be in 1970."""
    return bool(_DAY_NUMBER.fullmatch(text)) and _CENTURY[0] <= float(text.replace(",", ".")) < _CENTURY[1]


def is_day(text: str) -> bool:
    """Is a text a day without a time of day? Midnight is none: Excel gives each day one."""
    return bool(_DAY.fullmatch(text))


def day_in(text: str) -> str:
    """An SQL expression for the day in a text that is a day."""
    return f"regexp_replace({text}, ' 00:00(:00)?$', '')"


def is_time_of_day(text: str) -> bool:
    return bool(_TIME_OF_DAY.fullmatch(text))


def order_of(texts: Sequence[str], highest: Callable[[], tuple[int, int]]) -> str | None:
    """The order of day and month in dates that end with the year: "dmy", "mdy", or None if they don't tell.

    Args:
        texts: some values of the column.
        highest: asks the whole column for the highest first and second number of its dates, as far as they can be days.
    """
    dates = [found for text in texts if (found := _DAY_FIRST.match(text.strip(_AROUND)))]
    first, second = (max((int(date[place]) for date in dates if int(date[place]) <= 31), default=0) for place in (1, 3))
    if all(date[2] == "." for date in dates) and second <= 12:
        return "dmy"
    if max(first, second) <= 12:
        first, second = highest()
    if (first > 12) == (second > 12):
        return None
    return "dmy" if first > 12 else "mdy"


def times_of(texts: Sequence[str], order: str) -> Times:
    """How the times in some texts are written, with the order of day and month where dates end with the year."""
    quoted = any('"' in text for text in texts)
    texts = [stripped for text in texts if (stripped := text.strip(_AROUND))]
    if any(map(_DAY_FIRST.match, texts)):
        return Times(odd=True, order=order, words=f"dates with the {'day' if order == 'dmy' else 'month'} first")
    if texts and all(_NUMBER.fullmatch(text) and not _COMPACT.fullmatch(text) for text in texts):
        return Times(odd=quoted, order=None, words=_unit(texts))
    odd = quoted or any(_COMPACT.fullmatch(text) for text in texts)
    odd = odd or not all(_ISO_TEXT.fullmatch(text) or _NUMBER.fullmatch(text) for text in texts)
    if odd and not any(map(is_time, texts)) and not any(map(_NUMBER.fullmatch, texts)):
        return Times(odd=True, order=None, words="none that is understood")
    return Times(odd=odd, order=None, words="dates with the year first" if odd else "ISO 8601")


def unit(number: float) -> str:
    """The unit of a number that is a time."""
    size = abs(number)
    return next(
        (name for most, name in ((1e11, "seconds"), (1e14, "milliseconds"), (1e17, "microseconds")) if size < most),
        "nanoseconds",
    )


def _unit(texts: Sequence[str]) -> str:
    units = dict.fromkeys(unit(float(text)) for text in texts)
    short = next((text for text in texts if _has_lost_digits(text)), None)
    return f"{' and '.join(units)} since 1970{'' if short is None else f', some without all digits, such as {short}'}"


def _has_lost_digits(text: str) -> bool:
    mantissa, _, exponent = text.lower().partition("e")
    return bool(exponent) and sum(map(str.isdigit, mantissa)) < min(16, 1 + int(exponent))


HIGHEST = """
SELECT
    coalesce(max(first) FILTER (WHERE first <= 31), 0),
    coalesce(max(second) FILTER (WHERE second <= 31), 0)
FROM (
    SELECT
        TRY_CAST(regexp_extract({text}, {begin}, 1) AS INTEGER) AS first,
        TRY_CAST(regexp_extract({text}, {begin}, 2) AS INTEGER) AS second
    FROM read_parquet($path) AS file({places})
)
""".replace("{begin}", f"'{_BEGIN.replace('{', '{{').replace('}', '}}')}'")
"""The highest first and second number of a column's dates that end with the year, as far as they can be days."""
