"""Options without a chain, with an old one, and with one of which little is known."""

from store.instants import DAY
from tests.pages.conftest import Open, captions, recorder
from tests.support.market import chain

from .seen import headline, metrics


def test_before_the_first_chain_the_page_counts_down_beside_a_recorder(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")

    alone = open_page("options")
    with recorder(database):
        page = open_page("options")

    assert [each.value for each in alone.info] == ["No option chain of BTC yet."]
    (box,) = page.info
    assert box.value.startswith("No option chain of BTC yet. The next one is due in ")


def test_where_chains_are_not_recorded_the_page_says_so(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "BTC")
    monkeypatch.setenv("TICKWELL_OPTIONS_SECONDS", "0")

    page = open_page("options")

    assert [box.value for box in page.info] == ["Option chains aren't recorded: TICKWELL_OPTIONS_SECONDS=0."]


def test_what_was_recorded_stays_where_chains_are_not_recorded_any_more(open_page: Open, record, ts, monkeypatch):
    monkeypatch.setenv("TICKWELL_OPTIONS_SECONDS", "0")
    record(chain("BTC", ts))

    page = open_page("options")

    assert "1 min old" in headline(page)
    assert "Option chains aren't recorded any more: TICKWELL_OPTIONS_SECONDS=0." in captions(page)


def test_without_a_market_the_page_says_so(open_page: Open, database, monkeypatch):
    monkeypatch.setenv("TICKWELL_MARKETS", "none")

    page = open_page("options")

    assert [box.value for box in page.info] == ["No market is recorded: TICKWELL_MARKETS=none."]


def test_a_market_that_is_not_recorded_any_more_is_told_beside_its_newest_chain_alone(
    open_page: Open, record, ts, monkeypatch
):
    monkeypatch.setenv("TICKWELL_MARKETS", "ETH")
    record(chain("BTC", ts))
    told = "BTC is not in TICKWELL_MARKETS: this is what was recorded before."

    assert told in captions(open_page("options", currency="BTC"))
    assert told not in captions(open_page("options", currency="BTC", at=ts.isoformat()))


def test_an_old_chain_stays_and_is_marked_stale(open_page: Open, record, ts):
    record(chain("BTC", ts - 2 * DAY))

    page = open_page("options")

    assert ":orange[:material/schedule: stale, 2 d old]" in headline(page)
    assert len(page.metric) == 7


def test_a_chain_of_which_little_is_known_has_dashes(open_page: Open, record, database, ts):
    record(chain("BTC", ts))
    with database.write() as cursor:
        cursor.execute(
            "UPDATE options_by_snapshot SET mark_iv = NULL, open_interest = NULL, bid_price = NULL, ask_price = NULL"
        )
        cursor.execute("UPDATE snapshots SET index_price = NULL")

    page = open_page("options")

    assert not page.exception
    assert metrics(page)["IV at the money"] == metrics(page)["Put / call"] == "–"
