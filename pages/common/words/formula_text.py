"""How derived numbers are computed, in Markdown."""

from collections.abc import Iterable

from store.market.reads.explained import Formula

from . import text


def listed(formulas: Iterable[Formula]) -> str:
    """A paragraph for each formula: what it gives, what it is made of, its source, and its version."""
    return "\n\n".join(_told(each) for each in formulas)


def _told(its: Formula) -> str:
    inputs = ", ".join(f"`{name}`" for name in its.inputs)
    unit = f", in {its.unit}" if its.unit != "1" else ""
    return (
        f"**{text.escaped(its.number)}**{text.escaped(unit)}: {text.escaped(its.formula)}  \n"
        f"Made of {inputs}. Source: {text.escaped(its.source)}. Method {its.method}."
    )
