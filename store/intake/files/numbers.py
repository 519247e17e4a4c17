"""How the numbers of a column are written: decimal commas, signs of thousands, signs of currency."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE | re.ASCII)
_AROUND = ' \t\u00a0\u202f"$€£'
_BLANKS = (" ", "\u00a0", "\u202f", "'", "’")

# A price with three digits after its only point, among semicolons: a program's 42.5 or a German 42500?
_THREE_DIGITS = re.compile(r"\d{1,3}\.\d{3}")

# One damaged price in a hundred does not tell how the others are to be read.
_MOST = 0.99


@dataclass(frozen=True, slots=True)
class Writing:
    """How numbers are written.

    Attributes:
        point: the decimal sign.
        groups: the sign between thousands; empty if none is allowed.
        dressed: may blanks, quotes and signs of currency surround a number?
    """

    point: str
    groups: str = ""
    dressed: bool = True

    @property
    def _pattern(self) -> str:
        whole = rf"\d{{1,3}}({re.escape(self.groups)}\d{{3}})+|\d+" if self.groups else r"\d+"
        return rf"[+-]?({whole})({re.escape(self.point)}\d*)?([eE][+-]?\d+)?"

    def read(self, text: str) -> float | None:
        """The number in a text; None if it is not written so."""
        text = text.strip(_AROUND)
        if not re.fullmatch(self._pattern, text, re.ASCII):
            return None
        return float(text.replace(self.groups, "").replace(self.point, "."))

    def number(self, text: str) -> str:
        """An SQL expression for the number in a text; NULL if it is not written so."""
        if not self.dressed:
            return f"TRY_CAST({text} AS DOUBLE)"
        trimmed = f"trim({text}, {_literal(_AROUND)})"
        without = f"replace({trimmed}, {_literal(self.groups)}, '')" if self.groups else trimmed
        number = f"TRY_CAST(replace({without}, {_literal(self.point)}, '.') AS DOUBLE)"
        return f"CASE WHEN regexp_full_match({trimmed}, {_literal(self._pattern)}) THEN {number} END"

    def __str__(self) -> str:
        if not self.dressed:
            return ""
        groups = f" and {self.groups!r} between thousands" if self.groups else ""
        return f", decimal {'commas' if self.point == ',' else 'points'}{groups}"


PLAIN = Writing(".", dressed=False)
"""Numbers as programs write them."""


def is_number(text: str) -> bool:
    """Is a text a number, however written?"""
    return any(writing.read(text) is not None for writing in _writings())


def writing_of(texts: Sequence[str], *, commas_likely: bool = False) -> Writing | None:
    """How the numbers in some texts are written; None if they can be read in two ways.

    Args:
        texts: some values of a column.
        commas_likely: are the fields separated by semicolons, as where commas are decimal ones?
    """
    texts = [text for text in texts if text.strip()]
    if all(_PLAIN.fullmatch(text) for text in texts):
        doubtful = commas_likely and texts and all(_THREE_DIGITS.fullmatch(text) for text in texts)
        return None if doubtful else PLAIN
    readings = {each: [each.read(text) for text in texts] for each in _writings()}
    best = max(sum(value is not None for value in values) for values in readings.values())
    if not best:
        return PLAIN
    fitting = [each for each, values in readings.items() if sum(value is not None for value in values) > _MOST * best]
    chosen = max(fitting, key=lambda each: sum(value is not None for value in readings[each]))
    return None if any(_differ(readings[each], readings[chosen]) for each in fitting) else chosen


def _differ(some: Sequence[float | None], others: Sequence[float | None]) -> bool:
    return any(one != other for one, other in zip(some, others, strict=True) if None not in (one, other))


def with_point(texts: Sequence[str], point: str) -> Writing:
    """How the numbers in some texts are written, where the decimal sign is known."""
    fitting = [each for each in _writings() if each.point == point]
    return max(fitting, key=lambda each: sum(each.read(text) is not None for text in texts))


def _writings() -> list[Writing]:
    return [Writing(point, groups) for point, other in (".,", ",.") for groups in ("", other, *_BLANKS)]


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
