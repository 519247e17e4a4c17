"""Overview: how recording goes, and a card for each index."""

from datetime import timedelta

import streamlit as st

from pages.common import queries, text
from store import StoreError, utc_now
from store.overview import Card
from store.status import in_words, stale_after_s

settings = queries.settings()
refresh = timedelta(seconds=min(settings.poll_seconds, 5))


@st.fragment(run_every=refresh)
def live() -> None:
    try:
        overview = queries.newest_overview()
    except StoreError as error:
        st.error(f"The database can't be read. {text.escaped(str(error))}", icon=":material/error:")
        return
    recorder(overview)
    with st.grid(min_column_width=300):
        for card in overview.cards:
            with st.container(border=True, key=f"card-{card.index_name}"):
                index_card(card)


def recorder(overview: queries.Overview) -> None:
    """The recorder's state in words, and a word on prices that nobody trades at."""
    now, zone = utc_now(), text.browser_zone()
    newest = max((card.latest.ts for card in overview.cards if card.latest), default=None)
    age_s = None if newest is None else (now - newest).total_seconds()
    words = in_words(overview.notice, age_s, now, zone, embedded=settings.poller == "embedded")
    fine = overview.notice is not None and overview.notice.alive and overview.notice.state in {"starting", "recording"}
    if fine:
        st.caption(f":green[:material/radio_button_checked:] {text.escaped(words)}. Times are {zone.key}.")
    else:
        st.warning(text.escaped(words[0].upper() + words[1:]), icon=":material/warning:")
        st.caption(f"Times are {zone.key}.")
    if settings.demo or any(card.latest and card.latest.source == "simulator" for card in overview.cards):
        st.warning("**Simulated prices.** They are made up by the built-in simulator.", icon=":material/science:")


def index_card(card: Card) -> None:
    """Price, change, sparkline and age of one index."""
    if card.latest is None or card.since is None:
        st.metric(text.pair(card.index_name), None)
        st.caption("No data yet")
        return
    zone = text.browser_zone()
    st.metric(
        text.pair(card.index_name),
        text.price(card.latest.price),
        text.change(card.change),
        delta_description=text.counted_since(card.since, card.latest.ts, zone),
        chart_data=card.closes,
    )
    age = utc_now() - card.latest.ts
    words = text.age_at(age, card.latest.ts.astimezone(zone))
    if age.total_seconds() > stale_after_s(settings.poll_seconds):
        words = f":orange[:material/schedule: Stale, {words}]"
    st.caption(words)


live()
