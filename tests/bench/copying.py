"""Copies of what our pages show, for `bare_elements` to draw."""

import base64
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import plotly.graph_objects as go
from streamlit.testing.v1 import AppTest

from tests.bench.apart import do
from tests.bench.bare_elements import BLOCKS, Element
from tests.bench.row import SMALL
from tests.pages.conftest import Open, pages_of

_OTHERS = (
    "history?range=1d",
    "history?range=1y&chart=Candles",
    "futures",
    "volatility",
    "options",
    "quality",
    "alerts",
    "export?range=1y",
)
PAGES = ("",) if SMALL else ("", *_OTHERS)
"""The addresses of our pages that are measured, without the slash."""

_FROM_1980_MS = 3e11


def copy_pages(database: Path, target: Path) -> str:
    """Run each address of `PAGES` once on a database, and keep what it showed. For a process of its own."""
    with pages_of(database) as open_page:
        found = {address or "overview": copied(opened(open_page, address)) for address in PAGES}
    target.write_bytes(pickle.dumps(found))
    return f"{len(found)} pages"


def opened(open_page: Open, address: str) -> AppTest:
    name, _, parameters = address.partition("?")
    page = open_page(name or "overview", **dict(parse_qsl(parameters)))
    assert not page.exception
    return page


def copied(page: AppTest) -> list[Element]:
    """What the main part of a page shows, after a run."""
    return list(_copies(page._tree[0]))


def _copies(block: Any) -> Iterator[Element]:
    for each in block.children.values():
        if each.type in BLOCKS or each.type in {"tab_container", "tab"}:
            yield Element(each.type, _block_values(each), list(_copies(each)))
        elif each.type == "bidi_component" and each.key == "pulse":
            yield Element("caption", _line(each))
        elif each.type != "empty":
            yield Element(each.type, _VALUES[each.type](each))


def _block_values(block: Any) -> dict[str, Any]:
    horizontal = block.type == "flex_container" and block.proto.flex_container.direction == 2
    label = getattr(block.proto.popover if block.type == "popover" else block.proto, "label", "")
    return {"horizontal": horizontal, "label": label, "columns": max(1, len(block.children))}


def _named(*names: str) -> Callable[[Any], dict[str, Any]]:
    return lambda element: {name: getattr(element.proto, name) for name in names}


def _options(element: Any) -> dict[str, Any]:
    options = [getattr(each, "content", each) for each in element.proto.options]
    chosen = element.proto.default
    return {
        "label": element.proto.label,
        "options": options,
        "default": [options[each] for each in ([chosen] if isinstance(chosen, int) else chosen)],
    }


def _line(element: Any) -> dict[str, Any]:
    told = json.loads(element.proto.json)
    return {"body": f"{told['before']}{told['age_s']} s old{told['after']}. {told['end']}"}


def _figure(element: Any) -> dict[str, Any]:
    drawn = json.loads(json.loads(element.proto.json)["figure"])
    for trace in drawn["data"]:
        for name, values in trace.items():
            if isinstance(values, dict) and "bdata" in values:
                array = np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
                trace[name] = array.astype("datetime64[ms]") if len(array) and array[0] > _FROM_1980_MS else array
    return {"figure": go.Figure(drawn)}


_text = _named("body")

_VALUES: dict[str, Callable[[Any], dict[str, Any]]] = {
    **dict.fromkeys(("title", "header", "caption", "markdown", "html", "info", "warning", "success", "error"), _text),
    **dict.fromkeys(("button_group", "multiselect", "selectbox"), _options),
    **dict.fromkeys(("toggle", "button", "page_link", "date_time_input"), _named("label")),
    "metric": _named("label", "body", "delta"),
    "link_button": _named("label", "url"),
    "code": _named("code_text", "language"),
    "dataframe": lambda element: {"rows": element.value},
    "bidi_component": _figure,
}


if __name__ == "__main__":
    do({"copy": copy_pages})
