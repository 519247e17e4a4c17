"""The address where a browser or a program fetches an export, and how programs ask for it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import streamlit as st

from pages.common.chart.component import routes_are_served
from store.export import tickets
from store.export.query import MEDIA_TYPES, ExportQuery, Format
from store.instants import EPOCH
from store.prices.bars import INTERVAL_NAMES

from . import access
from .views import to_url

FORMATS: Mapping[str, Format] = MappingProxyType({"Parquet": "parquet", "CSV": "csv", "Excel": "xlsx"})


def offer(label: str, query: ExportQuery) -> None:
    """Draw a button that brings the file. If the API is not open to everyone, draw it again within `tickets.GOOD_FOR`.

    On a host that doesn't serve our routes the file goes through this process's memory: offer no large file there.
    """
    if routes_are_served():
        st.link_button(label, _link(query), icon=":material/download:")
        return
    st.download_button(
        label,
        partial(_content, query),
        query.file_name,
        MEDIA_TYPES[query.format],
        on_click="ignore",
        icon=":material/download:",
    )


def _content(query: ExportQuery) -> bytes:
    return access.exports().make(query).path.read_bytes()


def _link(query: ExportQuery) -> str:
    """The address for this reader's browser, relative to a page, since some hosts put a path before ours."""
    key = access.settings().ticket_key
    ticket = f"&{tickets.PARAMETER}={tickets.sign(key, query.parameters)}" if key else ""
    return f"{_path(query)}{ticket}"


def code(query: ExportQuery) -> Mapping[str, str]:
    """How programs ask for the same, by the program's name.

    pandas, polars and duckdb read Parquet by its address. If the API asks for a token, they read the file that curl
    saved.
    """
    token = access.settings().api_token is not None
    parquet = replace(query, format="parquet")
    source = parquet.file_name if token else _address(parquet)
    header = '-H "Authorization: Bearer $TICKWELL_API_TOKEN" ' if token else ""
    return {
        "curl": f'curl -OJ {header}"{_address(parquet if token else query)}"',
        "pandas": f'import pandas as pd\n\nframe = pd.read_parquet("{source}")',
        "polars": f'import polars as pl\n\nframe = pl.read_parquet("{source}")',
        "duckdb": f"FROM read_parquet('{source}');",
        **({} if access.reads_lake() else {"Command line": _command(query)}),
    }


def _address(query: ExportQuery) -> str:
    """The whole address, for a program."""
    page = (st.context.url or "http://localhost:8501/export").split("?")[0].rstrip("/")
    return f"{page.removesuffix('/export')}/{_path(query)}"


def _path(query: ExportQuery) -> str:
    return f"api/export?{query.parameters}"


def _command(query: ExportQuery) -> str:
    demo = "TICKWELL_DEMO=true " if access.settings().demo else ""
    words = [f"{demo}python -m poller export", *([] if query.of_prices else [f"--series {query.kind.name}"])]
    words += [f"--index {name}" for name in query.names]
    words += [] if query.start <= EPOCH else [f"--start {to_url(query.start)}"]
    words += [f"--end {to_url(query.end)}"]
    words += [f"--interval {INTERVAL_NAMES[query.interval]}"] if query.interval else []
    words += [] if query.healed else ["--no-healed"]
    words += [] if query.columns == "own" else [f"--columns {query.columns}"]
    return " ".join([*words, f"--format {query.format}", "--to ."])
