"""The facts that an export states about its query, as JSON types."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from settings import VERSION
from store.kinds import SMILES, SURFACES, Kind
from store.ledger.coverage import Coverage
from store.ledger.due import slots
from store.market.reads import explained
from store.market.reads.explained import Formula
from store.models import Gap
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS

from .query import ExportQuery
from .selection import columns_in

_FORMULAS: Mapping[Kind, tuple[Formula, ...]] = {SMILES: explained.SMILE, SURFACES: explained.SURFACE}


def asked(query: ExportQuery) -> dict[str, Any]:
    """The query, the units of its numbers, and the formulas of derived ones."""
    formulas = [each._asdict() | {"inputs": list(each.inputs)} for each in _formulas(query.kind)]
    return {
        "version": VERSION,
        "rows_are": query.rows_are,
        "indexes" if query.of_prices else "feeds": list(query.feeds),
        "start": query.start.isoformat(),
        "end": query.end.isoformat(),
        "interval": INTERVAL_NAMES[query.interval] if query.interval != SINGLE_TICKS else None,
        "healed": query.healed,
        **({} if query.columns == "own" else {"columns": query.columns}),
        "units": _units(query),
        "times": "UTC, the range half-open",
        **({"formulas": formulas} if formulas else {}),
    }


def coverage_as_json(its: Coverage, gaps: Iterable[Gap]) -> dict[str, Any]:
    """The slots of a feed in numbers, and how many of the missing ones have each cause. `gaps` are of all feeds."""
    causes: Counter[str] = Counter()
    for gap in gaps:
        if gap.feed == its.feed and gap.state != "healed":
            causes[gap.cause] += len(slots(max(gap.start, its.start), min(gap.end, its.end), gap.poll_seconds))
    return {
        "due": its.due,
        "live": its.live,
        "healed": its.healed,
        "missing": its.missing,
        "causes": dict(sorted(causes.items())),
    }


def _formulas(kind: Kind) -> Iterable[Formula]:
    """The formulas of the columns of a kind that are computed."""
    columns = set(kind.column_names)
    return (each for each in _FORMULAS.get(kind, ()) if columns.issuperset(each.number.split(", ")))


def _units(query: ExportQuery) -> dict[str, str]:
    """The units of the prices of each index, or of the values of each column."""
    if query.of_prices:
        return {name: " per ".join(reversed(name.upper().split("_"))) for name in query.feeds}
    return {column.name: column.unit for column in columns_in(query) if column.unit}
