"""How derived numbers are computed, in Markdown."""

from collections.abc import Iterable

from store.market.reads.explained import Formula

from . import text

_LETTERS = (
    "F is the forward of the expiry, S the index, K a strike, T the years to expiry, V the value of the option in USD, "
    "s = IV / 100. N is the normal distribution, n its density."
)


def listed(formulas: Iterable[Formula]) -> str:
    """The letters, and a paragraph for each formula: what it gives, what it is made of, its source, and its version."""
    return "\n\n".join([_LETTERS, *map(_told, formulas)])


def _told(its: Formula) -> str:
    inputs = ", ".join(f"`{name}`" for name in its.inputs)
    unit = f", in {its.unit}" if its.unit != "1" else ""
    return (
        f"**{text.escaped(its.number)}**{text.escaped(unit)}: {text.escaped(its.formula)}  \n"
        f"Made of {inputs}. Source: {text.escaped(its.source)}. Method version {its.method}."
    )
