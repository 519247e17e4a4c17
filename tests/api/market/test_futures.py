"""/futures, /futures/basis and /funding: what was recorded, as of an instant or over a time."""

import math
from typing import Any

import httpx
import pandas as pd
import pytest

from api.market.asked import MOST_ROWS
from api.served import Served
from poller.simulator.truth.funding import funding
from poller.simulator.truth.listing import second_of
from store.file.database import Database
from store.instants import in_iso
from store.kinds import FUNDING
from store.ledger import arrivals, runs
from store.ledger.gaps import advance
from store.market.entries import EntriesOf
from store.models import Cause, Miss, Run, Snapshot
from tests.api.conftest import detail
from tests.conftest import START

from .conftest import DAY, HOUR, MINUTE, SECOND, answered, record_futures

PERPETUAL = "BTC-PERPETUAL"
YEAR_S = 365 * 86_400


def futures(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/futures", params={"currency": "BTC", "at": in_iso(START + MINUTE), **params})


def basis(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"currency": "BTC", "start": in_iso(START), "end": in_iso(START + HOUR), **params}
    return client.get("/futures/basis", params=given)


def paid(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"instrument": PERPETUAL, "start": in_iso(START), "end": in_iso(START + DAY), **params}
    return client.get("/funding", params=given)


def test_the_futures_at_an_instant_come_with_their_basis_and_say_of_which_snapshot_they_are(client, database):
    (snapshot,) = record_futures(database, 0)

    reply = answered(futures(client, at=in_iso(START + 30 * SECOND)))

    assert reply.keys() == {"at", "snapshot", "currency", "futures", "spreads"}
    assert reply["at"] == "2026-11-01T12:00:30Z"
    assert reply["snapshot"] == {
        "feed": "futures/BTC",
        "slot": "2026-11-01T12:00:00Z",
        "ts": "2026-11-01T12:00:00Z",
        "received_at": "2026-11-01T12:00:00.500000Z",
        "age_s": 30.0,
        "source": "simulator",
        "rows": len(snapshot.rows),
        "index_price": snapshot.index_price,
        "rejected": 0,
    }
    frame = pd.DataFrame(reply["futures"])
    stored = {name: [expiry and in_iso(expiry), *numbers] for name, expiry, *numbers in snapshot.rows}
    assert {row["instrument_name"]: list(row.values())[1:-2] for row in reply["futures"]} == stored
    expected = frame["mark_price"] / (snapshot.index_price or math.nan) - 1
    left_s = (pd.to_datetime(frame["expiry"]) - START).dt.total_seconds()
    pd.testing.assert_series_equal(frame["basis"], expected, check_names=False)
    annual = (expected / left_s * YEAR_S).where(left_s >= 86_400)
    pd.testing.assert_series_equal(frame["annual_basis"], annual, check_names=False)


def test_the_spreads_of_neighbouring_expiries_are_those_of_pandas(client, database):
    (snapshot,) = record_futures(database, 0)

    found = pd.DataFrame(answered(futures(client))["spreads"])

    listed = pd.DataFrame([row[:3] for row in snapshot.rows if row[1]], columns=["name", "expiry", "mark"])
    listed = listed.sort_values("expiry", ignore_index=True)
    expected = pd.DataFrame({"near": listed["name"].shift(), "far": listed["name"], "spread": listed["mark"].diff()})
    between_s = pd.to_datetime(listed["expiry"]).diff().dt.total_seconds()
    expected["annual_spread"] = (listed["mark"].pct_change() / between_s * YEAR_S).where(between_s >= 86_400)
    pd.testing.assert_frame_equal(found, expected[1:].reset_index(drop=True))


def test_an_absent_quote_stays_null(client, database):
    record_futures(database, 0)

    rows = answered(futures(client))["futures"]

    assert {row["current_funding"] for row in rows[1:]} == {None}
    assert rows[0]["instrument_name"] == PERPETUAL
    assert rows[0]["expiry"] is None
    assert rows[0]["annual_basis"] is None


def test_now_is_the_instant_if_none_is_given(client, database):
    reply = client.get("/futures", params={"currency": "BTC"})

    assert reply.status_code == 404
    assert reply.json()["detail"].endswith("futures/BTC has no snapshot then; none is stored")


def test_without_a_snapshot_the_nearest_ones_are_named_and_none_stands_in(client, database):
    record_futures(database, 0, 600)

    reply = futures(client, at=in_iso(START + 300 * SECOND))

    assert reply.status_code == 404
    assert reply.json() == {
        "detail": "at = 2026-11-01T12:05:00Z: futures/BTC has no snapshot then; "
        "the nearest: 2026-11-01T12:00:00Z before and 2026-11-01T12:10:00Z after",
        "cause": None,
        "before": "2026-11-01T12:00:00Z",
        "after": "2026-11-01T12:10:00Z",
    }


@pytest.mark.parametrize(
    ("second", "before", "after"), [(-60, None, "2026-11-01T12:00:00Z"), (600, "2026-11-01T12:00:00Z", None)]
)
def test_at_the_ends_of_what_is_recorded_one_neighbour_is_named(client, database, second, before, after):
    record_futures(database, 0)

    reply = futures(client, at=in_iso(START + second * SECOND)).json()

    assert (reply["before"], reply["after"]) == (before, after)


def test_a_missing_snapshot_is_told_with_its_cause(client, database):
    with database.write() as cursor:
        runs.note(cursor, Run(START, {"futures/BTC": 60}, "0", START + HOUR))
        runs.append_misses(
            cursor, [Miss(START + n * MINUTE, "futures/BTC", Cause.UNREACHABLE, "refused") for n in range(1, 60)]
        )
    record_futures(database, 0)
    advance(database, START + HOUR, START + HOUR, 1)

    reply = futures(client, at=in_iso(START + 10 * MINUTE)).json()

    assert reply["cause"] == "unreachable"
    assert "has no snapshot then (unreachable); the nearest: 2026-11-01T12:00:00Z before" in reply["detail"]


@pytest.mark.parametrize("at", ["0001-01-01", "1970-01-01T00:00:01Z"])
def test_the_first_instants_have_no_snapshot(client, database, at):
    assert futures(client, at=at).status_code == 404


def test_before_anything_is_recorded_there_is_no_snapshot_and_a_time_is_empty(client, database):
    database.path.unlink()

    assert futures(client).status_code == 404
    assert futures(client).json()["before"] is None
    assert answered(basis(client))["rows"] == []
    assert answered(paid(client))["hours_known"] == 0


def test_a_market_that_is_stored_and_not_configured_is_answered(client, database):
    with database.write() as cursor:
        arrivals.append(cursor, [Snapshot("futures/SOL", START, START, ())])

    assert answered(futures(client, currency="SOL"))["futures"] == []
    assert detail(futures(client, currency="XRP")) == "currency = 'XRP': must be one of BTC, ETH, SOL"


def test_without_any_market_no_currency_is_allowed(client, server, make_settings, database):
    app, _ = server
    app.state.served = Served(make_settings(), database)

    assert detail(futures(client)) == "currency = 'BTC': nothing of that kind is recorded"


def test_the_basis_over_a_time_has_a_row_for_each_snapshot(client, database):
    snapshots = record_futures(database, 0, 60, 3600)

    reply = answered(basis(client))

    assert reply.keys() == {"currency", "days", "start", "end", "rows"}
    assert [row["ts"] for row in reply["rows"]] == ["2026-11-01T12:00:00Z", "2026-11-01T12:01:00Z"]
    assert [row["index_price"] for row in reply["rows"]] == [each.index_price for each in snapshots[:2]]
    assert all(0 < row["annual_basis"] < 0.2 for row in reply["rows"])
    assert [row["annual_basis"] for row in answered(basis(client, days=3000))["rows"]] == [None, None]


def test_of_each_interval_the_last_snapshot_is_answered(client, database):
    record_futures(database, 0, 60, 120, 180)

    every, coarse = (answered(basis(client, **more))["rows"] for more in ({}, {"interval": "2m"}))

    assert coarse == every[1::2]


def test_a_time_with_more_snapshots_than_a_reply_has_is_refused_with_a_way_out(client, database):
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO snapshots (feed, ts, received_at, source, rows, rejected) "
            "SELECT 'futures/BTC', ts, ts, 'simulator', 0, 0 "
            "FROM range(TIMESTAMP '2026-11-01 12:00:00', TIMESTAMP '2026-11-02 12:00:00', INTERVAL 5 SECOND) t(ts)"
        )

    just_enough = answered(basis(client, end=in_iso(START + MOST_ROWS * 5 * SECOND)))
    refused = detail(basis(client, end=in_iso(START + MOST_ROWS * 5 * SECOND + SECOND)))

    assert len(just_enough["rows"]) == MOST_ROWS
    assert refused.startswith("start, end: 10,001 snapshots lie between them, and at most 10,000 are given")
    assert refused.endswith("ask for a shorter range or a longer interval, or export them as a file")
    assert len(answered(basis(client, end=in_iso(START + DAY), interval="10s"))["rows"]) == 8640


def pay(database: Database, *hours: int) -> None:
    with database.write() as cursor:
        EntriesOf(FUNDING, PERPETUAL).append(
            cursor,
            [
                (
                    at,
                    None if hour == 3 else 100_000.0,
                    funding("BTC", second_of(at), 1),
                    funding("BTC", second_of(at), 8),
                )
                for hour in hours
                for at in [START + hour * HOUR]
            ],
        )


def test_funding_has_its_hours_and_their_sum_with_the_hours_that_were_due(client, database):
    pay(database, 0, 1, 2, 3, 25)

    reply = answered(paid(client))

    rows = pd.DataFrame(reply["rows"])
    assert list(rows["ts"]) == [f"2026-11-01T{hour}:00:00Z" for hour in (13, 14, 15)]
    assert reply["cumulated"] == pytest.approx(rows["interest_1h"].sum())
    assert reply["annual"] == pytest.approx(rows["interest_1h"].mean() * 8760)
    assert (reply["hours_known"], reply["hours_due"]) == (3, 24)
    assert reply["rows"][2]["index_price"] is None


def test_without_hours_there_is_no_sum_and_hours_to_come_are_not_due(client, database):
    reply = answered(paid(client, end="2100-01-01"))
    later = answered(paid(client, end="2101-01-01"))

    assert (reply["cumulated"], reply["annual"], reply["rows"]) == (None, None, [])
    assert reply["hours_due"] == later["hours_due"]


def test_ten_thousand_hours_are_answered_and_more_are_refused(client, database):
    assert answered(paid(client, start=in_iso(START - MOST_ROWS * HOUR), end=in_iso(START)))["hours_due"] == MOST_ROWS
    assert detail(paid(client, start="2019-01-01", end=in_iso(START))).startswith("start, end: 68,6")


def test_a_perpetual_that_is_not_recorded_is_refused(client, database):
    pay(database, 1)

    assert detail(paid(client, instrument="BTC-25DEC26")) == (
        "instrument = 'BTC-25DEC26': must be one of BTC-PERPETUAL, ETH-PERPETUAL"
    )


@pytest.mark.parametrize(
    ("ask", "params", "said"),
    [
        (futures, {"at": "yesterday"}, "at = 'yesterday': must be ISO 8601"),
        (futures, {"at": "2100-01-01"}, "at = 2100-01-01T00:00:00Z: must not be in the future"),
        (futures, {"explain": "perhaps"}, "explain = 'perhaps': must be a valid boolean"),
        (futures, {"currency": "btc"}, "currency = 'btc': must be one of BTC, ETH"),
        (basis, {"days": "0"}, "days = '0': must be greater than or equal to 1"),
        (basis, {"days": "many"}, "days = 'many': must be a valid integer"),
        (basis, {"days": "4000"}, "days = '4000': must be less than or equal to 3650"),
        (basis, {"interval": "7m"}, "interval = '7m': must be one of 1s, 2s, 5s, "),
        (basis, {"start": "x"}, "start = 'x': must be ISO 8601"),
        (basis, {"end": "x"}, "end = 'x': must be ISO 8601"),
        (basis, {"end": "2026-10-01"}, "end = 2026-10-01T00:00:00Z: must not be before start"),
        (basis, {"currency": "DOGE"}, "currency = 'DOGE': must be one of"),
        (paid, {"start": "2100-01-01", "end": "2101-01-01"}, "start = 2100-01-01T00:00:00Z: must not be in the future"),
        (paid, {"explain": "2"}, "explain = '2': must be a valid boolean"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(client, database, ask, params, said):
    assert detail(ask(client, **params)).startswith(said)


@pytest.mark.parametrize("path", ["/futures", "/futures/basis", "/funding"])
def test_what_is_missing_is_said(client, database, path):
    assert "is missing: it must be given" in detail(client.get(path))


def test_each_derived_number_is_explained_with_its_inputs_method_and_snapshot(client, database):
    record_futures(database, 0, 60)
    pay(database, 1)

    at_once = answered(futures(client, explain="true"))
    replies = [answered(ask(client, explain="true")) for ask in (basis, paid)]

    assert at_once["explain"]["snapshot"] == at_once["snapshot"]
    assert [each["number"] for each in at_once["explain"]["numbers"]] == [
        "basis",
        "annual_basis",
        "spread",
        "annual_spread",
    ]
    for reply in (at_once, *replies):
        for number in reply["explain"]["numbers"]:
            assert number.keys() == {"number", "formula", "inputs", "unit", "source", "method"}
            assert number["inputs"]
    assert [reply["explain"]["snapshot"] for reply in replies] == [None, None]
