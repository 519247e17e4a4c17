"""What pages read is for readers who may read, also where another reader asked the same before."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from pages.common import sign_in
from pages.common.reads import alerts, export, history, market, overview, pulse, quality, recorded
from pages.common.views import View
from store.export.query import ExportQuery
from store.models import utc_now

AT = utc_now().replace(microsecond=0)
DAY_AGO = AT - timedelta(days=1)

READS: dict[str, Callable[[], Any]] = {
    "pulse": lambda: pulse.read_pulse(AT),
    "recorded": recorded.recorded,
    "newest": lambda: recorded.newest_ticks(AT),
    "history": lambda: history.read_history(AT, ("btc_usd",), View("1d")),
    "overview": lambda: overview.read_overview(AT),
    "day": overview.read_day,
    "lines": lambda: overview.read_lines(AT, View("1d")),
    "completeness": lambda: quality.read_completeness(AT, DAY_AGO),
    "recording": lambda: quality.read_recording(AT, DAY_AGO),
    "failed": lambda: quality.read_failed(AT, DAY_AGO),
    "alerts": lambda: alerts.read_alerts(AT),
    "events": lambda: alerts.newest_alerts(AT, None, None, 20, 0, acknowledged=True),
    "feeds": export.other_feeds,
    "feeds with slots": quality.slot_feeds,
    "market": lambda: market.read_market_health(AT, DAY_AGO),
    "estimate": lambda: export.estimate(ExportQuery(("btc_usd",), DAY_AGO, AT)),
    "export": lambda: export.start_export(ExportQuery(("btc_usd",), DAY_AGO, AT)),
}


@pytest.mark.usefixtures("open_page", "database")
@pytest.mark.parametrize("name", READS)
def test_a_reader_who_may_not_read_gets_no_answer_that_another_reader_was_given(name: str, monkeypatch):
    READS[name]()
    stopped: list[bool] = []
    monkeypatch.setattr(sign_in, "admits", lambda _: False)
    monkeypatch.setattr(st, "stop", lambda: stopped.append(True))

    READS[name]()

    assert stopped


def written_while_drawn() -> None:
    """A page whose live part reads, and then writes as the recorder of another process would."""
    import streamlit as st

    from pages.common import access, live, moments
    from pages.common.reads.pulse import read_pulse
    from store.file.database import Database

    def draw() -> None:
        read_pulse(moments.this_second())
        with Database(access.settings().database).write(wait_s=1):
            st.text("written")

    live.show(tuple, draw)


@pytest.mark.usefixtures("open_page", "database")
def test_a_page_keeps_no_lease_between_its_reads():
    """It may wait there for an answer that another page reads, which may wait for the recorder's transaction."""
    page = AppTest.from_function(written_while_drawn, default_timeout=20).run()

    assert [text.value for text in page.text] == ["written"]
