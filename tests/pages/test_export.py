"""The Export page says how large a file will be, makes it with progress, and shows how programs ask for it."""

import json
import os
import shlex
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pandas as pd
import pytest
import streamlit as st
from click.testing import Result
from streamlit.testing.v1 import AppTest

import settings as all_settings
from pages.common.export_links import FORMATS
from pages.common.views import to_url
from pages.common.words import text
from store.export import files as exports
from store.export import tickets
from store.export.files import manifest_of
from store.export.query import ExportQuery
from store.file.database import Database
from store.file.exchange import admit
from store.file.locks import FileLock
from store.instants import DAY, HOUR, MINUTE, in_iso
from store.kinds import DELIVERIES, FUNDING, VOLATILITY_INDEX
from store.ledger import arrivals, gaps, runs
from store.market import chains
from store.market.entries import EntriesOf
from store.market.instruments import usd_index
from store.market.reads.snapshots import EACH
from store.models import Exchange, Gap, Run, Snapshot, Tick, to_column, utc_now
from store.prices.candles import floor
from tests.conftest import START, wait_until
from tests.support import market
from tests.support.stored import append

from .conftest import Open, captions, chart, errors, parts, recorder, warnings

SECOND = timedelta(seconds=1)


def recent(count: int, name: str = "btc_usd") -> list[Tick]:
    """Store ticks, one a second, that end two minutes ago."""
    last = utc_now().replace(microsecond=0) - 2 * MINUTE
    return [Tick(name, last - number * SECOND, 100.0 + number % 7) for number in reversed(range(count))]


@pytest.fixture
def recorded(database: Database) -> Database:
    append(database, *recent(600), *recent(300, "eth_usd"))
    return database


def words(page: AppTest) -> str:
    return " ".join(each.value for each in page.markdown)


def button(page: AppTest):
    """The button that makes the file, if there is one."""
    return next((each for each in page.button if each.label == "Make the file"), None)


def made(page: AppTest) -> AppTest:
    """The page once its file is made or has failed."""
    button(page).click().run()
    wait_until(lambda: page.run() and not page.get("progress"))
    assert not page.exception
    return page


def asked(page: AppTest) -> dict[str, list[str]]:
    """The parameters of the link to the file."""
    (link,) = page.get("link_button")
    path, _, query = link.proto.url.partition("?")
    assert path == "api/export"
    return parse_qs(query)


def code(page: AppTest) -> list[str]:
    return [block.value for block in page.code]


def test_a_file_of_ticks_is_announced_made_and_linked(open_page: Open, recorded: Database):
    page = open_page("export")
    assert words(page) == "About **600 rows**, **4.98 kB**"

    made(page)

    assert (asked(page)["ticker"], asked(page)["format"]) == (["btc_usd"], ["parquet"])
    (path,) = recorded.path.with_name("exports").glob("*.parquet")
    assert len(pd.read_parquet(path)) == 600
    sha256 = json.loads(manifest_of(path).read_text())["sha256"]
    assert any("600 rows" in caption and sha256 in caption for caption in captions(page))


def test_candles_of_several_indexes_without_healed_points_as_csv(open_page: Open, recorded: Database):
    page = open_page(
        "export", index=["btc_usd", "eth_usd"], rows="Candles", interval="5m", range="1h", format="CSV", healed="false"
    )

    made(page)

    its = asked(page)
    assert its["ticker"] == ["btc_usd", "eth_usd"]
    assert (its["interval"], its["healed"], its["format"]) == (["5m"], ["false"], ["csv"])
    (path,) = recorded.path.with_name("exports").glob("*.csv.gz")
    assert set(pd.read_csv(path)["index_name"]) == {"btc_usd", "eth_usd"}


def test_another_choice_asks_for_another_file(open_page: Open, recorded: Database):
    page = made(open_page("export"))
    assert not button(page)

    page.segmented_control(key="format").set_value("Excel").run()

    assert button(page)
    assert not page.get("link_button")


def test_a_made_file_stays_the_same_as_time_passes(open_page: Open, recorded: Database):
    page = made(open_page("export"))
    before = asked(page)

    with recorder(recorded, skew_s=300):  # by the exchange's clock it is five minutes later
        page.run()

    assert asked(page) == before


def test_progress_is_shown_in_ticks_while_the_file_is_made(open_page: Open, recorded: Database):
    page = open_page("export")
    shared = exports.Exports(recorded, 10**9)
    lock = FileLock(shared.folder / ".lock")
    shared.folder.mkdir()
    assert lock.try_acquire()
    button(page).click().run()

    (bar,) = page.get("progress")
    assert bar.proto.text == "Counting ticks"
    assert not page.get("link_button")

    lock.release()
    wait_until(lambda: page.run() and not page.get("progress"))
    assert page.get("link_button")


def test_an_exact_range_is_kept_in_the_address(open_page: Open, recorded: Database):
    last = utc_now().replace(microsecond=0, second=0) - 3 * MINUTE
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (last - MINUTE, last))

    page = made(open_page("export", start=start, end=end))

    assert (asked(page)["start"], asked(page)["end"]) == ([start], [end])
    (path,) = recorded.path.with_name("exports").glob("*.parquet")
    assert len(pd.read_parquet(path)) == 60


def test_all_of_an_index_begins_with_its_first_tick(open_page: Open, recorded: Database):
    page = made(open_page("export", range="All"))

    assert asked(page)["start"] == ["1970-01-01T00:00:00Z"]
    assert any("600 rows" in caption for caption in captions(page))


def test_the_preview_shows_gaps(open_page: Open, recorded: Database):
    begin = utc_now() - timedelta(hours=2)
    with recorded.write() as cursor:
        runs.note(cursor, Run(begin, {"btc_usd": 5}, "1"))
        gap = Gap("btc_usd", begin, begin + MINUTE, 12, 5, "unreachable", "no route", gap=begin)
        gaps.note(cursor, [gap], begin + MINUTE)

    page = open_page("export")

    assert parts(page, "preview")
    assert any("open" in caption for caption in captions(page))


@pytest.mark.parametrize("span", ["15m", "1M", "All"])
def test_the_preview_ends_where_the_file_ends(open_page: Open, database: Database, span: str):
    append(database, *(Tick("btc_usd", utc_now() - number * SECOND, 100.0) for number in range(600)))

    page = made(open_page("export", timezone="UTC", range=span))

    end = datetime.fromisoformat(*asked(page)["end"])
    (_, drawn_to) = chart(page, "preview")["figure"]["layout"]["xaxis"]["range"]
    assert datetime.fromisoformat(drawn_to).replace(tzinfo=UTC) == end


def test_a_range_without_ticks_offers_no_file(open_page: Open, database: Database):
    page = open_page("export")

    assert [box.value for box in page.info] == ["No ticks in this range."]
    assert not button(page)


def test_without_a_database_the_page_says_that_there_are_no_ticks(open_page: Open):
    page = open_page("export")

    assert not page.exception
    assert [box.value for box in page.info] == ["No ticks in this range."]


def test_an_index_must_be_chosen(open_page: Open, recorded: Database):
    page = open_page("export")
    page.multiselect(key="index").set_value([]).run()

    assert [box.value for box in page.info] == ["Choose an index."]


def test_a_sheet_that_will_be_cut_off_is_announced_before(open_page: Open, recorded: Database):
    with recorded.write() as cursor:
        cursor.execute(
            "INSERT INTO ticks SELECT 'btc_usd', $last - to_milliseconds(n * 60), NULL, 100, 'live', 0 "
            "FROM range(1_100_000) AS numbers(n)",
            {"last": to_column(utc_now() - timedelta(hours=1))},
        )

    page = open_page("export", format="Excel")

    assert any(box.startswith("A sheet of Excel holds 1,048,575 rows") for box in warnings(page))


def in_range(end: datetime, form: str) -> tuple[ExportQuery, dict[str, str]]:
    """The query for a minute of btc_usd, and the parameters by which the page asks it."""
    query = ExportQuery(("btc_usd",), end - MINUTE, end, format=FORMATS[form])
    return query, {"format": form, "start": in_iso(query.start), "end": in_iso(query.end)}


def test_a_sheet_that_was_cut_off_says_so(open_page: Open, recorded: Database):
    query, address = in_range(utc_now().replace(microsecond=0) - 3 * MINUTE, "Excel")
    exports.Exports(recorded, 10**9, exports.Limits(sheet=50)).make(query)

    page = made(open_page("export", **address))

    assert any("50 rows, cut off where a sheet of Excel is full: it ends at" in caption for caption in captions(page))


def test_an_export_without_room_is_announced_before_and_refused(open_page: Open, recorded: Database, monkeypatch):
    monkeypatch.setenv("TICKWELL_EXPORTS_LIMIT", "1kB")
    page = open_page("export")
    assert any("larger than all exports together may be, 1kB" in box for box in warnings(page))

    made(page)

    assert any(box.value.startswith("Not exported. the export is larger than") for box in page.error)


def test_an_export_that_failed_can_be_tried_again(open_page: Open, recorded: Database):
    page = open_page("export")
    in_the_way = recorded.path.with_name("exports")
    in_the_way.write_text("a file")
    made(page)
    (failed,) = errors(page)
    assert failed.startswith("Not exported. ")
    assert failed.endswith("can't be written: Not a directory")
    in_the_way.unlink()

    made(page)

    assert page.get("link_button")
    assert not page.error


def test_where_routes_are_not_served_the_file_goes_through_memory(open_page: Open, recorded: Database):
    page = open_page("export")
    page.session_state["plotly is not served"] = True

    made(page)

    (download,) = page.get("download_button")
    assert download.proto.label.startswith("Download ")
    assert not page.get("link_button")


def test_where_routes_are_not_served_a_large_file_is_named_with_the_limit(open_page: Open, recorded: Database):
    query, address = in_range(utc_now().replace(microsecond=0) - 3 * MINUTE, "Parquet")
    there = exports.Exports(recorded, 10**9).make(query)
    os.truncate(there.path, 60_000_000)
    manifest_of(there.path).write_text(json.dumps(there.manifest | {"bytes": 60_000_000}))
    page = open_page("export", **address)
    page.session_state["plotly is not served"] = True

    made(page)

    assert not page.get("download_button")
    assert any(box.startswith("This host serves no files larger than 50 MB") for box in warnings(page))


def test_programs_ask_for_the_same(open_page: Open, recorded: Database):
    page = open_page("export", index="btc_usd", rows="Candles", interval="1m", format="CSV", healed="false")

    curl, pandas, polars, duckdb, command = code(page)

    address = shlex.split(curl)[-1]
    assert urlsplit(address)._replace(query="").geturl() == "http://localhost:8501/api/export"
    assert parse_qs(urlsplit(address).query)["format"] == ["csv"]
    parquet = address.replace("format=csv", "format=parquet")
    assert all(parquet in words for words in (pandas, polars, duckdb))
    assert command.startswith("python -m poller export --index btc_usd --start ")
    assert command.endswith("Z --interval 1m --no-healed --format csv --to .")


def test_the_command_line_of_a_demo_reads_the_file_of_the_demo(open_page: Open, database_file: Path, monkeypatch):
    of_demo = Database(database_file.with_name("demo.duckdb"))
    of_demo.migrate()
    append(of_demo, *recent(60))
    monkeypatch.setenv("TICKWELL_DEMO", "true")

    *_, command = code(open_page("export", index="btc_usd"))

    assert command.startswith("TICKWELL_DEMO=true python -m poller export --index btc_usd ")


def test_the_command_line_that_is_shown_makes_the_file_that_was_made(
    open_page: Open, recorded: Database, command: Callable[..., Result], tmp_path, monkeypatch
):
    page = made(open_page("export", range="All"))
    words = shlex.split(code(page)[-1])
    to = tmp_path / "to"
    to.mkdir()
    monkeypatch.chdir(to)

    done = command(*words[3:])

    assert done.exit_code == 0, done.stderr
    (path,) = recorded.path.with_name("exports").glob("*.parquet")
    (copy,) = to.glob("*.parquet")
    assert copy.read_bytes() == path.read_bytes()


def test_where_the_api_asks_for_a_token_the_lines_have_a_place_for_it(open_page: Open, recorded: Database, monkeypatch):
    monkeypatch.setenv("TICKWELL_API_TOKEN", "a-token-of-many-letters")
    page = open_page("export")

    curl, pandas, *_ = code(page)

    assert '-H "Authorization: Bearer $TICKWELL_API_TOKEN"' in curl
    assert 'pd.read_parquet("btc_usd-ticks-' in pandas
    assert not any("a-token" in words for words in code(page))


def test_where_the_api_asks_for_a_token_the_link_carries_a_ticket_for_this_file(
    open_page: Open, recorded: Database, monkeypatch
):
    monkeypatch.setenv("TICKWELL_API_TOKEN", "a-token-of-many-letters")
    page = made(open_page("export"))

    (link,) = page.get("link_button")
    query = link.proto.url.partition("?")[2]
    key = all_settings.load().ticket_key
    assert key
    assert tickets.holds(key, query)
    assert not tickets.holds(key, query.replace("btc_usd", "eth_usd"))


def test_the_rows_of_a_series_are_offered_once_there_are_any(open_page: Open, moons: Database):
    append(moons, *recent(60))
    before = open_page("export", series="Moons")
    assert (before.multiselect(key="market").options, [each.value for each in before.info]) == (
        [],
        ["Choose a market."],
    )
    last = utc_now() - 2 * MINUTE
    rows = (("Io", 0.5, None), ("Europa", 1.0, None))
    with moons.write() as cursor:
        arrivals.append(cursor, [Snapshot(f"moons/{name}", last, last, rows) for name in ("JUPITER", "SATURN")])
    st.cache_data.clear()

    page = open_page("export", series="Moons")

    market = page.multiselect(key="market")
    assert (market.label, market.options, market.value) == ("Market", ["JUPITER", "SATURN"], ["JUPITER"])
    assert not [each for each in page.toggle if each.key == "healed"]
    assert words(page).startswith("About **2 rows**")
    made(page)
    assert (asked(page)["series"], asked(page)["ticker"]) == (["moons"], ["JUPITER"])
    assert any("JUPITER-moons-" in caption and "2 rows" in caption for caption in captions(page))
    assert "--series moons --index JUPITER" in code(page)[-1]
    page.multiselect(key="market").set_value(["JUPITER", "SATURN"]).run()
    assert words(page).startswith("About **4 rows**")


def test_a_series_has_its_own_choices(open_page: Open, database: Database):
    page = open_page("export", series="Options", market="BTC", columns="Tardis")
    assert page.multiselect(key="market").value == ["BTC"]  # nothing is recorded, and the address names it

    def choices() -> set[str]:
        return {str(each.key) for each in (*page.segmented_control, *page.toggle)} & {"rows", "healed", "columns"}

    assert choices() == {"columns"}
    page.segmented_control(key="format").set_value("Excel").run()
    assert choices() == set()
    page.selectbox(key="series").set_value("Futures").run()
    assert choices() == {"healed"}
    page.selectbox(key="series").set_value("Prices").run()
    assert choices() == {"rows", "healed"}


@pytest.mark.parametrize("exact", [False, True])
def test_a_file_of_a_series_as_of_a_moment_ends_with_that_moment(open_page: Open, database: Database, *, exact: bool):
    at = floor(utc_now(), MINUTE) - 10 * MINUTE
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", at + minute * MINUTE) for minute in (-5, 0, 5)])
    its_range = {"start": to_url(at), "end": to_url(at + 9 * MINUTE)} if exact else {}

    page = open_page("export", series="Surfaces", market="BTC", at=to_url(at), **its_range)

    first = at if exact else at - DAY + EACH
    assert words(page).startswith(f"About **{text.count(1 if exact else 2, 'row')}**")
    made(page)
    assert (asked(page)["start"], asked(page)["end"]) == ([in_iso(first)], [in_iso(at + EACH)])
    assert page.query_params["at"] == to_url(at)


@pytest.mark.parametrize(("series", "market_"), [("Smiles", "BTC"), ("Dvol", "BTC"), ("Funding", "BTC-PERPETUAL")])
def test_the_arrows_of_an_export_step_to_snapshots(open_page: Open, database: Database, series: str, market_: str):
    at = floor(utc_now(), MINUTE) - 10 * MINUTE
    with database.write() as cursor:
        admit(cursor, Exchange.REAL, START)
        chains.append(cursor, [market.chain("BTC", at - 5 * MINUTE), market.chain("BTC", at)])
        arrivals.append(cursor, [market.futures("BTC", at - 5 * MINUTE), market.futures("BTC", at)])
        EntriesOf(FUNDING, "BTC-PERPETUAL").append(cursor, [(floor(at, HOUR), 100.0, 0.0, 0.0)])
        EntriesOf(VOLATILITY_INDEX, "BTC", 60).append(cursor, [(at - MINUTE, 40.0, 42.0, 39.0, 41.0)])
    page = open_page("export", series={"Dvol": "DVOL"}.get(series, series), market=market_, at=to_url(at))

    next(each for each in page.button if each.label == "Earlier").click().run()

    assert page.query_params["at"] == to_url(at - 5 * MINUTE)
    assert not page.exception


def test_options_can_have_the_columns_of_tardis(open_page: Open, database: Database):
    now = utc_now().replace(microsecond=0)
    at = now - timedelta(seconds=now.second % 2 + 300)
    with database.write() as cursor:
        chains.append(cursor, [market.chain("BTC", at)])

    page = made(open_page("export", series="Options", columns="Tardis"))

    assert asked(page)["columns"] == ["tardis"]
    assert "--columns tardis" in code(page)[-1]
    (path,) = database.path.with_name("exports").glob("*.parquet")
    assert set(pd.read_parquet(path)["exchange"]) == {"deribit"}  # no reply has told the exchange of this file


def test_a_series_that_names_its_markets_otherwise_keeps_the_coins(open_page: Open, database: Database):
    with database.write() as cursor:
        admit(cursor, Exchange.REAL, START)
        chains.append(cursor, [market.chain(name, START) for name in ("BTC", "ETH")])
        for name in ("BTC", "ETH"):
            EntriesOf(FUNDING, f"{name}-PERPETUAL").append(cursor, [(START, 100.0, 0.0, 0.0)])
            EntriesOf(DELIVERIES, usd_index(name)).append(cursor, [(START, 100.0)])
    page = open_page("export", series="Options", market="ETH")

    chosen = []
    for series in ("Options", "Funding", "Deliveries", "Smiles"):
        page.selectbox(key="series").set_value(series).run()
        chosen.append(page.multiselect(key="market").value)

    assert chosen == [["ETH"], ["ETH-PERPETUAL"], ["eth_usd"], ["ETH"]]


def test_a_range_without_rows_of_a_series_says_so(open_page: Open, moons: Database):
    with moons.write() as cursor:
        arrivals.append(cursor, [Snapshot("moons/JUPITER", START, START, (("Io", 0.5, None),))])

    page = open_page("export", series="Moons")

    assert [each.value for each in page.info] == ["No rows in this range."]
    assert button(page) is None


def again(page: AppTest):
    """The button that makes the file of a newer range, if there is one."""
    return next((each for each in page.button if each.label == "Make it anew"), None)


def test_a_file_tells_its_end_and_can_be_made_anew_once_a_minute_has_passed(open_page: Open, recorded: Database):
    page = made(open_page("export"))
    (before,) = asked(page)["end"]
    at_once = again(page)
    assert any(f"As of {datetime.fromisoformat(before):%-d %b %Y, %H:%M}. " in caption for caption in captions(page))

    with recorder(recorded, skew_s=300):  # by the exchange's clock it is five minutes later
        page.run()
        again(page).click().run()
        wait_until(lambda: page.run() and not page.get("progress"))

    assert at_once is None
    assert asked(page)["end"] > [before]
    assert again(page) is None


def test_a_file_of_an_exact_range_is_not_offered_anew(open_page: Open, recorded: Database):
    last = utc_now().replace(microsecond=0, second=0) - 3 * MINUTE
    page = made(open_page("export", start=in_iso(last - MINUTE), end=in_iso(last)))

    with recorder(recorded, skew_s=300):
        page.run()

    assert again(page) is None
    assert not any("As of" in caption for caption in captions(page))


def test_a_made_file_is_offered_still_when_the_cache_forgot_how_it_was_made(open_page: Open, recorded: Database):
    page = made(open_page("export"))
    before = asked(page)
    (path,) = recorded.path.with_name("exports").glob("*.parquet")
    path.unlink()
    st.cache_resource.clear()

    page.run()

    assert asked(page) == before
    assert not page.get("progress")
    assert not path.exists()
