"""The elements of our pages, drawn with ready-made values.

A bare page then shows what a page of ours shows, and does nothing else: it reads no database, and makes no figure. An
st.plotly_chart stands for each chart of ours.
"""

import functools
import os
import pickle
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import streamlit as st

COPIES = "BENCH_COPIES"
"""The variable of the environment that names the file with the copies of all pages."""


@dataclass(frozen=True)
class Element:
    """An element or a block of a page; `values` are what its kind is drawn with."""

    kind: str
    values: dict[str, Any]
    children: list["Element"] = field(default_factory=list)


@functools.cache
def copies() -> dict[str, list[Element]]:
    """The elements of each page, by its address; the first page's is `overview`."""
    found: dict[str, list[Element]] = pickle.loads(Path(os.environ[COPIES]).read_bytes())  # noqa: S301 our own file
    return found


def draw(elements: list[Element], name: str = "") -> None:
    """Draw elements; `name` tells their keys from those of others."""
    for number, element in enumerate(elements):
        key = f"{name}-{number}"
        if element.kind == "tab_container":
            tabs = st.tabs([tab.values["label"] for tab in element.children])
            for each, tab in zip(element.children, tabs, strict=True):
                with tab:
                    draw(each.children, f"{key}-{each.values['label']}")
        elif element.kind in BLOCKS:
            with BLOCKS[element.kind](element.values):
                draw(element.children, key)
        else:
            _DRAWN[element.kind](element.values, key)


BLOCKS: dict[str, Callable[[dict[str, Any]], AbstractContextManager[Any]]] = {
    "flex_container": lambda its: st.container(horizontal=its["horizontal"]),
    "grid_container": lambda its: st.grid(its["columns"]),
    "column": lambda _its: st.container(),
    "popover": lambda its: st.popover(its["label"]),
    "expander": lambda its: st.expander(its["label"]),
    "container": lambda _its: nullcontext(),
    "transparent": lambda _its: nullcontext(),
}

_DRAWN: dict[str, Callable[[dict[str, Any], str], object]] = {
    "title": lambda its, _key: st.title(its["body"]),
    "header": lambda its, _key: st.header(its["body"]),
    "caption": lambda its, _key: st.caption(its["body"]),
    "markdown": lambda its, _key: st.markdown(its["body"]),
    "html": lambda its, _key: st.html(its["body"]),
    "info": lambda its, _key: st.info(its["body"]),
    "warning": lambda its, _key: st.warning(its["body"]),
    "success": lambda its, _key: st.success(its["body"]),
    "error": lambda its, _key: st.error(its["body"]),
    "button_group": lambda its, key: st.segmented_control(
        its["label"], its["options"], default=its["default"][0], key=key
    ),
    "multiselect": lambda its, key: st.multiselect(its["label"], its["options"], default=its["default"], key=key),
    "selectbox": lambda its, key: st.selectbox(its["label"], its["options"], key=key),
    "toggle": lambda its, key: st.toggle(its["label"], key=key),
    "button": lambda its, key: st.button(its["label"], key=key),
    "date_time_input": lambda its, key: st.datetime_input(its["label"], None, key=key),
    "page_link": lambda its, _key: st.page_link("https://localhost", label=its["label"]),
    "metric": lambda its, _key: st.metric(its["label"], its["body"], its["delta"] or None),
    "link_button": lambda its, _key: st.link_button(its["label"], its["url"]),
    "code": lambda its, _key: st.code(its["code_text"], language=its["language"]),
    "dataframe": lambda its, _key: st.dataframe(its["rows"], hide_index=True),
    "bidi_component": lambda its, key: st.plotly_chart(its["figure"], key=key),
}
