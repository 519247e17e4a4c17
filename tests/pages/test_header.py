"""The header, the same on every page: how the recording goes, in words and in the visitor's time zone."""

import re
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pages.common.site import PAGES
from pages.common.words import text
from store.file.aside import list_aside
from store.file.database import Database
from store.file.exchange import admit
from store.lake.notice import Notice, desk
from store.models import Exchange, Tick, utc_now
from store.prices import averages
from tests.pages.conftest import captions, chart, errors, failed, recorder, told, warnings
from tests.support.stored import append

BANNER = "**Simulated prices.** The built-in simulator makes them up."


@pytest.mark.parametrize("its", PAGES, ids=lambda its: its.name)
def test_each_page_has_its_title_and_before_anything_is_recorded_it_says_so(open_page, its):
    page = open_page(its.name)

    assert [title.value for title in page.title] == [its.title]
    assert page.warning[0].value == "Not recording\\: no recorder was started yet"
    assert told(page)["end"] == "Times are UTC."
    assert not page.error
    assert not page.exception


def test_the_header_shows_recording_with_the_age_of_the_newest_tick(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100_000.0))

    with recorder(database):
        page = open_page()

    line = told(page)
    assert (line["before"], line["after"], line["mark"], line["end"]) == ("recording, ", "", "fresh", "Times are UTC.")
    assert 0 <= line["age_s"] < 10
    assert not page.warning
    assert not page.exception


@pytest.mark.parametrize(("poll_seconds", "stale_after_s"), [(1, 30), (5, 30), (300, 900)])
def test_the_browser_learns_when_the_newest_tick_is_stale_for_the_recorders_own_period(
    open_page, database, poll_seconds, stale_after_s
):
    append(database, Tick("btc_usd", utc_now() - timedelta(seconds=240), 100_000.0))

    with recorder(database, poll_seconds=poll_seconds):
        line = told(open_page())

    assert line["stale_after_s"] == stale_after_s
    assert line["age_s"] == pytest.approx(240, abs=10)


def test_each_refresh_tells_another_time(open_page):
    page = open_page()
    first = told(page)["at_s"]

    assert told(page.run())["at_s"] > first


def test_recording_without_data_yet_has_no_age(open_page, database):
    with recorder(database, state="starting"):
        line = told(open_page())

    assert (line["before"], line["age_s"], line["after"], line["mark"]) == ("starting, no data yet", None, "", "none")


LAKE = "postgresql://tickwell:hidden@127.0.0.1:1/lake"


@pytest.fixture
def published(database_file, monkeypatch):
    """Note how publishing goes; the file is to be shared."""
    monkeypatch.setenv("TICKWELL_LAKE", LAKE)

    def note(lag: timedelta | None, trouble: str = "") -> datetime | None:
        to = None if lag is None else utc_now() - lag
        with desk(database_file) as place:
            place.put(Notice(shared_to=to, trouble=trouble))
        return to

    return note


def test_the_line_says_how_far_the_record_is_shared(open_page, database, published):
    to = published(timedelta(seconds=20), "no network")

    with recorder(database):
        page = open_page(timezone="Asia/Tokyo")

    its_zone = ZoneInfo("Asia/Tokyo")
    assert told(page)["end"] == f"Shared up to {to.astimezone(its_zone):%H:%M}. Times are Asia/Tokyo."
    assert not page.warning


def test_the_line_says_that_a_new_record_is_not_shared_yet(open_page, database, published):
    with recorder(database):
        page = open_page()

    assert told(page)["end"] == "Not shared yet. Times are UTC."
    assert not page.warning


def test_a_box_says_that_the_lake_lags_and_why(open_page, database, published):
    to = published(timedelta(hours=2, seconds=30), "lake db/lake: no *network*")

    with recorder(database):
        page = open_page()

    day = "" if to.date() == utc_now().date() else f"{to:%Y-%m-%d} "
    shown = f"Shared up to {day}{to:%H:%M}, 2 h ago: lake db/lake: no *network*"
    assert told(page)["end"] == "Times are UTC."
    assert warnings(page) == [text.escaped(shown)]


def test_a_box_says_why_nothing_is_shared_yet(open_page, database, published):
    published(None, "no network")

    with recorder(database):
        page = open_page()

    assert warnings(page) == [text.escaped("Not shared yet: no network")]


def test_recording_is_not_green_while_an_index_fails(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100_000.0))

    with recorder(database, failing={"eth_usd": "unreachable"}):
        line = told(open_page())

    assert (line["before"], line["after"], line["mark"]) == ("recording, ", "; eth_usd: unreachable", "failing")


def test_an_average_does_not_make_recording_look_fresh(open_page, database):
    now = utc_now()
    append(database, Tick("btc_usd", now - timedelta(hours=3), 100_000.0))
    with database.write() as cursor:
        averages.append(cursor, "btc_usd", [(now, 100_000.0)], 60)

    with recorder(database):
        line = told(open_page())

    assert line["age_s"] == pytest.approx(3 * 3600, abs=10)


@pytest.mark.parametrize("state", ["gone", "unreachable"])
def test_the_age_of_the_newest_price_stays_on_top_when_nothing_is_recorded(open_page, database, state):
    append(database, Tick("btc_usd", utc_now() - timedelta(hours=3), 100_000.0))

    with recorder(database, state=state) if state != "gone" else nullcontext():
        line = told(open_page("history"))

    assert (line["before"], line["after"], line["mark"]) == ("The newest price is ", "", "none")
    assert line["age_s"] == pytest.approx(3 * 3600, abs=10)
    assert line["stale_after_s"] == 30


def test_trouble_with_the_exchange_is_shown_in_words_and_in_the_visitors_time(open_page, database):
    now = utc_now()
    append(database, Tick("btc_usd", now, 100_000.0))
    trouble = {"state": "unreachable", "detail": "refused *twice*", "retry_at": now + timedelta(minutes=1)}

    with recorder(database, state_since=now, **trouble):
        page = open_page(timezone="Asia/Kathmandu")

    (words,) = warnings(page)
    clock = f"{now.astimezone(ZoneInfo('Asia/Kathmandu')):%H\\:%M}"
    assert words.startswith(f"Exchange unreachable since {clock}, retrying in ")
    assert words.endswith(r"\: refused \*twice\*")
    assert told(page)["end"] == "Times are Asia/Kathmandu."


def test_a_database_that_cannot_be_read_is_told_by_header_and_parts_without_a_traceback(open_page, database_file):
    database_file.write_text("not a database, but long enough to look like one " * 100)

    page = open_page()

    (error,) = page.error
    assert error.value.startswith("The database can't be read. ")
    assert len(failed(page)) == 3
    assert not page.metric
    assert not page.exception


def test_files_that_were_set_aside_are_named(open_page, database_file):
    database_file.touch()
    Database(database_file).migrate()

    page = open_page()

    (words,) = [box.value for box in page.warning if box.value.startswith("Files set aside because")]
    assert text.escaped(list_aside(database_file)[0]) in words


def test_the_reason_why_this_process_does_not_record_is_shown(open_page, database_file, monkeypatch):
    monkeypatch.setenv("TICKWELL_POLLER", "embedded")
    database_file.with_name(f"{database_file.name}.recorder").mkdir()

    page = open_page()

    (box,) = (
        each.value.replace("\\", "")
        for each in page.error
        if "Not recording" in each.value or "The database" in each.value
    )
    assert re.fullmatch(r"The database can't be read\. .*ticks\.duckdb\.recorder can't be read: Is a directory", box)
    assert not page.exception


def test_a_bad_setting_is_shown_as_its_one_line(open_page, monkeypatch):
    monkeypatch.setenv("TICKWELL_POLL_SECONDS", "0")

    page = open_page()

    assert errors(page) == ["TICKWELL_POLL_SECONDS = '0': must be a whole number from 1 to 3600"]
    assert not page.title
    assert not page.exception


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/St_Johns", "UTC"])
def test_times_are_in_the_browsers_zone_which_is_named(open_page, zone):
    page = open_page(timezone=zone)

    assert told(page)["end"] == f"Times are {zone}."


@pytest.mark.parametrize("zone", [None, "Etc/Unknown", "Mars/Olympus", "Europe", "../../etc/passwd", "/etc/passwd"])
def test_a_browser_without_a_known_zone_gets_utc(open_page, zone):
    page = open_page(timezone=zone)

    assert told(page)["end"] == "Times are UTC."
    assert not page.exception


def test_the_switch_shows_utc_and_back(open_page):
    page = open_page(timezone="Europe/Berlin")

    shown = []
    for on in (True, False):
        page.toggle(key="utc").set_value(on).run()
        shown.append(told(page)["end"])

    assert shown == ["Times are UTC.", "Times are Europe/Berlin."]


def test_the_switch_is_kept_in_the_address(open_page):
    page = open_page(timezone="Europe/Berlin", utc="true")

    assert page.toggle(key="utc").value is True
    assert told(page)["end"] == "Times are UTC."


def test_observed_prices_and_averages_have_no_banner(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100_000.0), Tick("btc_usd", utc_now(), 1.0, "import"))
    with database.write() as cursor:
        averages.append(cursor, "eth_usd", [(utc_now(), 3000.0)], 60)

    page = open_page()

    assert warnings(page) == []


def test_simulated_prices_have_a_banner(open_page, database):
    now = utc_now()
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, now)
        averages.append(cursor, "btc_usd", [(now, 100_000.0)], 3600, "simulator")

    page = open_page()

    assert warnings(page) == [BANNER]


def test_the_banner_stands_before_warnings_that_come_and_go(open_page, database):
    with database.write() as cursor:
        admit(cursor, Exchange.SIMULATOR, utc_now())

    page = open_page()

    assert [box.value.replace("\\", "") for box in page.warning] == [
        BANNER,
        "Not recording: no recorder was started yet",
    ]


def test_a_folder_that_can_not_be_written_is_told_once_with_its_cause(open_page, tmp_path: Path, monkeypatch):
    (tmp_path / "folder").write_text("in the way")
    monkeypatch.setenv("TICKWELL_DATABASE", str(tmp_path / "folder/ticks.duckdb"))
    monkeypatch.setenv("TICKWELL_POLLER", "embedded")

    page = open_page()

    (box,) = [each.value.replace("\\", "") for each in page.warning]
    assert box.startswith(f"Not recording: {tmp_path / 'folder'} can't be made")
    assert not page.error


def test_prices_of_the_test_environment_have_a_banner_too(open_page, database):
    append(database, Tick("btc_usd", utc_now(), 100_000.0))
    with database.write() as cursor:
        admit(cursor, Exchange.TEST, utc_now())

    page = open_page()

    assert warnings(page) == ["**Prices of Deribit's test environment.** Nobody trades at them."]


def test_a_demo_has_the_banner_before_its_first_tick(open_page, monkeypatch):
    monkeypatch.setenv("TICKWELL_DEMO", "true")

    page = open_page()

    assert warnings(page) == [BANNER]


def test_a_wrong_clock_is_shown_and_ages_are_right(open_page, database):
    now = utc_now() + timedelta(seconds=182)
    append(database, Tick("btc_usd", now, 100_000.0), Tick("eth_usd", now, 4000.0))

    with recorder(database, skew_s=182.0):
        overview = open_page("overview")
        history = open_page("history", range="15m")

    line = "This machine's clock is 3 min 2 s behind the exchange's: times on this page are the exchange's."
    assert warnings(overview) == warnings(history) == [line]
    assert abs(told(overview)["age_s"]) < 10
    assert not any("Stale" in caption for caption in captions(overview))
    assert any(trace["x"] for trace in chart(history, "history")["figure"]["data"])
    assert not overview.exception
    assert not history.exception


def test_a_run_of_a_page_builds_no_api(open_page, monkeypatch):
    monkeypatch.setattr("api.app.create_app", lambda: pytest.fail("the server built it when it started"))

    page = open_page("overview")

    assert [title.value for title in page.title] == ["Overview"]
    assert not page.exception
