"""Choices that are named in the address. The choice of indexes follows the reader from page to page."""

import re
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

ALL = "All"
_MARKET = re.compile("[A-Za-z0-9_-]+")
_KEY = "index"
"""Of the widget on each page, and its name in the address. Streamlit keeps its value when the page changes."""
_SEVERAL = "several indexes"
"""What was chosen on the last page with several, for the way back from a page with one."""


def one_index(known: Sequence[str], feeds: Sequence[str] = (), on_change: Callable[[], None] | None = None) -> str:
    """Draw the choice of one index, or of one of the feeds if there are any, and return it, or `ALL`."""
    options = [ALL, *known, *feeds]
    before = st.session_state.get(_KEY)
    if isinstance(before, list):  # of a page with several, where the first one is the default
        st.session_state[_SEVERAL] = before
        st.session_state[_KEY] = before[0] if len(before) == 1 and before[0] in options[2:] else ALL
    elif before is not None and before not in options:  # of a page that offers feeds, too
        st.session_state[_KEY] = ALL
    label = "Index or feed" if feeds else "Index"
    return st.selectbox(label, options, key=_KEY, bind="query-params", on_change=on_change, width=200)


def some_indexes(known: Sequence[str]) -> list[str]:
    """Draw the choice of several indexes, and return them."""
    before = st.session_state.get(_KEY)
    if isinstance(before, str):  # of a page with one
        several = [name for name in st.session_state.get(_SEVERAL, ()) if name in known]
        st.session_state[_KEY] = [before] if before in known else several or list(known[:1])
    return st.multiselect("Index", known, default=known[:1], key=_KEY, bind="query-params", width=320)


def some_markets(known: Sequence[str]) -> list[str]:
    """Draw the choice of several markets of a series, and return them.

    A series that names its markets otherwise keeps the coins. While nothing is known, the markets in the address are.
    """
    named = [name for name in st.query_params.get_all("market") if _MARKET.fullmatch(name)]
    options = list(known or dict.fromkeys(named))
    before = st.session_state.get("market")
    if before and not set(before) <= set(options):
        coins = set(map(coin_of, before))
        st.session_state["market"] = [name for name in options if coin_of(name) in coins] or options[:1]
    return st.multiselect("Market", options, default=options[:1], key="market", bind="query-params", width=320)


def coin_of(market: str) -> str:
    """The coin of a market, such as "BTC" of "BTC-PERPETUAL" and of "btc_usd"."""
    return re.split("[-_]", market)[0].upper()


def one_of(
    label: str,
    options: Sequence[str],
    default: str,
    key: str,
    *,
    wrap: bool = False,
    on_change: Callable[[], None] | None = None,
) -> str:
    """Draw some options side by side, and return the chosen one.

    An empty choice in the address is the default. Streamlit takes it for no option, even where one is required.
    """
    if st.session_state.get(key, default) is None:
        st.session_state[key] = default
    chosen = st.segmented_control(
        label, options, default=default, required=True, key=key, bind="query-params", wrap=wrap, on_change=on_change
    )
    return chosen or default


def one_listed(
    label: str, names: Mapping[str, str], shown: str, choose: Callable[[str], None], key: str, *, width: int = 200
) -> None:
    """Draw a list that shows one of some names, and call `choose` with the one that the reader takes instead.

    Args:
        label: of the list.
        names: in the words of the list. A browser sends these words: they stay the same while the list does.
        shown: one of the names.
        choose: called as a widget's callback.
        key: of the list on its page. What is shown becomes a part of it, so that a late rerun can't bring back another.
        width: in pixels.
    """
    key = f"{key} {shown}"
    st.selectbox(
        label,
        list(names),
        index=list(names).index(shown),
        format_func=names.__getitem__,
        key=key,
        on_change=taken,
        args=(key, shown, choose),
        width=width,
    )


def taken(key: str, put: str, choose: Callable[[str], None]) -> None:
    """Choose what the reader took from a list. A list that was replaced meanwhile still has `put`: nothing changes."""
    if (name := st.session_state[key]) != put:
        choose(name)
