"""/options: chains and smiles as of an instant, contracts and surfaces over a time."""

from datetime import datetime
from typing import Any

import httpx
import pandas as pd
import pytest
from vollib.black.greeks import analytical

from api.market.asked import MOST_ROWS
from store.file.database import Database
from store.instants import in_iso
from store.kinds import DELIVERIES
from store.ledger import arrivals
from store.market.entries import append_new
from store.market.instruments import Option, option_name
from store.market.reads.as_of import Chain, chain_at
from store.market.reads.interest import interest_of
from store.market.reads.smiles import greeks_of, smiles_of
from store.market.reads.terms import DELTAS, ivs_by_delta, terms_of
from store.market.smile import Quote
from store.market.surface import METHOD, derived
from store.models import Snapshot, to_column
from tests.api.conftest import detail
from tests.conftest import START

from .conftest import DAY, HOUR, MINUTE, SECOND, answered, record_chains

AT = in_iso(START + MINUTE)
PERIOD_S = 300


def chain(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/options/chain", params={"underlying": "BTC", "at": AT, **params})


def smile(client: httpx.Client, **params: Any) -> httpx.Response:
    return client.get("/options/smile", params={"underlying": "BTC", "at": AT, **params})


def history(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"start": in_iso(START), "end": in_iso(START + HOUR), **params}
    return client.get("/options/history", params=given)


def surfaces(client: httpx.Client, **params: Any) -> httpx.Response:
    given = {"underlying": "BTC", "start": in_iso(START), "end": in_iso(START + HOUR), **params}
    return client.get("/options/surfaces", params=given)


def stored(database: Database) -> Chain:
    with database.read() as cursor:
        found = chain_at(cursor, "BTC", START + MINUTE)
    assert found is not None
    return found


def names(snapshot: Snapshot) -> list[str]:
    return [option_name(Option("BTC", *row[:3])) for row in sorted(snapshot.rows, key=lambda row: row[:3])]


def in_json(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return (in_iso(row[0]), *row[1:])


def test_a_chain_has_each_option_as_it_was_quoted_and_says_of_which_snapshot_it_is(client, database):
    first, second = record_chains(database, 0, PERIOD_S)

    reply = answered(chain(client))
    later = answered(chain(client, at=in_iso(START + (PERIOD_S + 2) * SECOND)))

    assert reply.keys() == {"at", "snapshot", "underlying", "options"}
    assert [row["instrument_name"] for row in reply["options"]] == names(first)
    assert {tuple(row.values())[1:] for row in reply["options"]} == {in_json(row) for row in first.rows}
    assert (reply["at"], reply["snapshot"]["ts"], reply["snapshot"]["age_s"]) == (AT, in_iso(START), 60)
    assert reply["snapshot"]["rows"] == len(first.rows)
    assert any(row["bid_price"] is None for row in reply["options"])
    assert {tuple(row.values())[1:] for row in later["options"]} == {in_json(row) for row in second.rows}
    assert later["snapshot"]["age_s"] == 2


def test_a_chain_may_be_of_one_expiry(client, database):
    record_chains(database, 0)
    rows = answered(chain(client))["options"]
    expiries = sorted({row["expiry"] for row in rows})

    reply = answered(chain(client, expiry=expiries[1][:10]))

    assert reply["options"] == [row for row in rows if row["expiry"] == expiries[1]]
    assert reply["snapshot"]["rows"] == len(rows)
    assert detail(chain(client, expiry="2026-11-30")) == (
        f"expiry = 2026-11-30: must be one of {', '.join(each[:10] for each in expiries)}"
    )


def test_a_snapshot_without_options_has_no_expiry(client, database):
    with database.write() as cursor:
        arrivals.append(cursor, [Snapshot("options/BTC", START, START, ())])

    assert answered(chain(client))["options"] == []
    assert answered(smile(client))["smiles"] == []
    assert detail(chain(client, expiry="2026-11-06")) == "expiry = 2026-11-06: the snapshot has no options"


def test_the_greeks_are_those_of_vollib_and_null_where_nothing_is_known(client, database):
    record_chains(database, 0)
    with database.write() as cursor:
        cursor.execute("UPDATE options_by_snapshot SET mark_iv = NULL WHERE option_type = 'put'")

    rows = answered(chain(client, greeks="true"))["options"]

    for row in rows[::9]:
        years = (pd.Timestamp(row["expiry"]) - START).total_seconds() / (365 * 86_400)
        if row["mark_iv"] is None:
            assert [row[name] for name in ("delta", "gamma", "vega", "theta", "rho")] == [None] * 5
        else:
            asked = (row["option_type"][0], row["underlying_price"], row["strike"], years, 0, row["mark_iv"] / 100)
            assert row["delta"] == pytest.approx(analytical.delta(*asked), rel=1e-7, abs=1e-9)
            assert row["vega"] == pytest.approx(analytical.vega(*asked), rel=1e-7, abs=1e-7)


def test_smiles_are_those_of_the_chain_and_one_may_be_asked_for(client, database):
    record_chains(database, 0)

    reply = answered(smile(client))

    assert reply.keys() == {"at", "snapshot", "underlying", "smiles"}
    terms = {each.expiry: each._asdict() for each in terms_of(smiles_of(stored(database)))}
    for row, its in zip(reply["smiles"], smiles_of(stored(database)), strict=True):
        points, deltas = row.pop("points"), row.pop("by_delta")
        across = {name: row.pop(name) for name in ("forward_iv", "expected_move", "straddle")}
        assert across.items() <= terms[its.smile.expiry].items()
        assert [(each["delta"], each["iv"]) for each in deltas] == list(zip(DELTAS, ivs_by_delta(its), strict=True))
        assert row == {**its.smile._asdict(), "expiry": in_iso(its.smile.expiry), "years": its.years}
        assert points == [point._asdict() for point in its.points]
    one = answered(smile(client, expiry=reply["smiles"][2]["expiry"][:10]))["smiles"]
    assert [each["expiry"] for each in one] == [reply["smiles"][2]["expiry"]]
    assert one[0]["forward_iv"] == terms[datetime.fromisoformat(one[0]["expiry"])]["forward_iv"]


def test_open_interest_volume_and_gamma_of_each_expiry_are_the_sums_of_its_strikes(client, database):
    record_chains(database, 0)

    reply = answered(client.get("/options/interest", params={"underlying": "BTC", "at": AT, "explain": True}))

    its = stored(database)
    frame = pd.DataFrame(its.rows)
    assert [each["expiry"] for each in reply["expiries"]] == [in_iso(each) for each in sorted(set(frame["expiry"]))]
    for each, (_, rows) in zip(reply["expiries"], frame.groupby("expiry"), strict=True):
        sums = rows.groupby("option_type")[["open_interest", "volume"]].sum()
        assert each["call_oi"] == pytest.approx(sums["open_interest"]["call"])
        assert each["put_volume"] == pytest.approx(sums["volume"]["put"])
        assert each["notional"] == pytest.approx(sums["open_interest"].sum() * (its.index_price or 0))
        assert each["put_call_oi"] == pytest.approx(sums["open_interest"]["put"] / sums["open_interest"]["call"])
        assert each["put_gamma"] == pytest.approx(sum(strike["put_gamma"] for strike in each["strikes"]))
        assert [strike["strike"] for strike in each["strikes"]] == sorted(set(rows["strike"]))
    expected = interest_of(its, greeks_of(its))[3]
    assert reply["expiries"][3]["strikes"] == [each._asdict() for each in expected.strikes]
    assert "call_gamma, put_gamma" in [each["number"] for each in reply["explain"]["numbers"]]


def test_without_an_index_price_there_is_no_notional_and_one_expiry_may_be_asked_for(client, database):
    record_chains(database, 0)
    with database.write() as cursor:
        cursor.execute("UPDATE snapshots SET index_price = NULL")
    day = f"{stored(database).rows[0].expiry:%Y-%m-%d}"

    reply = answered(client.get("/options/interest", params={"underlying": "BTC", "at": AT, "expiry": day}))

    assert [(each["expiry"][:10], each["notional"]) for each in reply["expiries"]] == [(day, None)]


def test_the_stored_numbers_of_smiles_are_those_that_are_answered(client, database):
    record_chains(database, 0)
    columns = ("expiry", "forward", "atm_iv", "rr25", "bf25", "rr10", "bf10", "max_pain", "strikes", "call_oi")
    with database.read() as cursor:
        expected = cursor.execute(f"SELECT {', '.join(columns[1:])} FROM smiles ORDER BY expiry").fetchall()

    rows = answered(smile(client))["smiles"]

    assert [tuple(row[name] for name in columns[1:]) for row in rows] == expected


def test_without_a_chain_its_nearest_neighbours_are_named(client, database):
    record_chains(database, 0, 3600)

    for ask in (chain, smile):
        reply = ask(client, at=in_iso(START + 1800 * SECOND))
        assert reply.status_code == 404
        assert reply.json() == {
            "detail": "at = 2026-11-01T12:30:00Z: options/BTC has no snapshot then; "
            "the nearest: 2026-11-01T12:00:00Z before and 2026-11-01T13:00:00Z after",
            "cause": None,
            "before": "2026-11-01T12:00:00Z",
            "after": "2026-11-01T13:00:00Z",
        }


def test_the_history_of_an_option_is_its_row_of_each_snapshot(client, database):
    snapshots = record_chains(database, 0, PERIOD_S, 3600)
    name = names(snapshots[0])[40]

    reply = answered(history(client, instrument=name))

    assert reply.keys() == {"instrument_name", "start", "end", "settlement", "rows"}
    assert reply["settlement"] is None
    expected = [
        [in_iso(each.ts), *row[3:]]
        for each in snapshots[:2]
        for row in each.rows
        if option_name(Option("BTC", *row[:3])) == name
    ]
    assert [list(row.values()) for row in reply["rows"]] == expected
    assert list(reply["rows"][0])[:3] == ["ts", "mark_price", "mark_iv"]


def test_an_option_that_has_no_rows_has_no_history(client, database):
    record_chains(database, 0)

    assert answered(history(client, instrument="BTC-05DEC26-1-C"))["rows"] == []
    assert answered(history(client, instrument="BTC-05DEC26-1-C"))["instrument_name"] == "BTC-5DEC26-1-C"


def test_the_history_of_an_expired_option_says_what_it_paid_unless_it_ends_before(client, database):
    record_chains(database, 0)
    expiry, price = START + 20 * HOUR, 80_000.0
    with database.write() as cursor:
        append_new(cursor, DELIVERIES, [("btc_usd", to_column(expiry), price, "simulator")])
    name = option_name(Option("BTC", expiry, 84_000, "put"))

    settled = answered(history(client, instrument=name, end=in_iso(expiry + SECOND), explain=True))
    before = answered(history(client, instrument=name, end=in_iso(expiry)))

    assert settled["settlement"] == {"delivery_price": price, "payoff_usd": 4000, "payoff": 0.05}
    assert [each["number"] for each in settled["explain"]["numbers"]] == ["payoff_usd", "payoff"]
    assert before["settlement"] is None


def test_surfaces_are_what_follows_from_each_chain(client, database):
    snapshots = record_chains(database, 0, PERIOD_S, 3600)

    reply = answered(surfaces(client))

    assert reply.keys() == {"underlying", "start", "end", "rows"}
    assert [row["ts"] for row in reply["rows"]] == [in_iso(each.ts) for each in snapshots[:2]]
    quotes = [Quote._make([*row[:3], row[4], row[5], row[9], row[10]]) for row in snapshots[0].rows]
    surface = derived(START, quotes, snapshots[0].index_price).surface
    assert list(reply["rows"][0].values())[1:] == [*surface.columns, METHOD]
    assert list(reply["rows"][0])[1:4] == ["iv_7d", "iv_14d", "iv_30d"]


def test_of_each_interval_the_last_surface_is_answered(client, database):
    record_chains(database, 0, PERIOD_S, 2 * PERIOD_S)

    every, coarse = (answered(surfaces(client, **more))["rows"] for more in ({}, {"interval": "30m"}))

    assert (len(every), coarse) == (3, every[2:])


MANY = (
    "SELECT {columns} FROM range(TIMESTAMP '2026-11-01 12:00:00', TIMESTAMP '2026-11-02 12:00:00', INTERVAL 5 SECOND) "
    "t(ts)"
)


def test_a_time_with_more_rows_than_a_reply_has_is_refused_with_a_way_out(client, database):
    with database.write() as cursor:
        cursor.execute(
            "INSERT INTO options_by_snapshot (underlying, expiry, strike, option_type, ts) "
            + MANY.format(columns="'BTC', TIMESTAMP '2026-12-25 08:00:00', 90000, 'call', ts")
        )
        cursor.execute(
            "INSERT INTO snapshots (feed, ts, received_at, source, rows) "
            + MANY.format(columns="'options/BTC', ts, ts, 'simulator', 1")
        )
    ends = [in_iso(START + (MOST_ROWS + more) * 5 * SECOND) for more in (0, 1)]

    just_enough, too_many = (history(client, instrument="BTC-25DEC26-90000-C", end=end) for end in ends)

    assert len(answered(just_enough)["rows"]) == MOST_ROWS
    refused = "start, end: 10,001 snapshots lie between them, and at most 10,000 are given"
    assert detail(too_many).startswith(refused)
    assert answered(surfaces(client, end=ends[0]))["rows"] == []
    assert detail(surfaces(client, end=ends[1])).startswith(refused)


@pytest.mark.parametrize("ask", [chain, smile])
@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"underlying": "XRP"}, "underlying = 'XRP': must be one of BTC, ETH"),
        ({"at": "x"}, "at = 'x': must be ISO 8601"),
        ({"at": "2100-01-01"}, "at = 2100-01-01T00:00:00Z: must not be in the future"),
        ({"expiry": "25DEC26"}, "expiry = '25DEC26': must be a day, such as 2026-12-25"),
        ({"expiry": "2026-02-30"}, "expiry = '2026-02-30': must be a day"),
        ({"explain": "x"}, "explain = 'x': must be a valid boolean"),
    ],
)
def test_what_is_not_allowed_at_an_instant_is_said_in_one_line(client, database, ask, params, said):
    assert detail(ask(client, **params)).startswith(said)


@pytest.mark.parametrize(
    ("ask", "params", "said"),
    [
        (chain, {"greeks": "x"}, "greeks = 'x': must be a valid boolean"),
        (history, {}, "instrument is missing: it must be given"),
        (
            history,
            {"instrument": "BTC"},
            "instrument = 'BTC': must be the name of an option, such as",
        ),
        (history, {"instrument": "XRP-25DEC26-1-C"}, "the underlying of instrument = 'XRP': must be one of BTC, ETH"),
        (history, {"start": "x"}, "start = 'x': must be ISO 8601"),
        (surfaces, {"interval": "x"}, "interval = 'x': must be one of 1s, 2s, 5s, "),
        (surfaces, {"underlying": "XRP"}, "underlying = 'XRP': must be one of BTC, ETH"),
        (surfaces, {"end": "2026-01-01"}, "end = 2026-01-01T00:00:00Z: must not be before start"),
    ],
)
def test_what_is_not_allowed_is_said_in_one_line(client, database, ask, params, said):
    assert detail(ask(client, **params)).startswith(said)


def test_each_derived_number_is_explained_with_its_inputs_method_and_snapshot(client, database):
    record_chains(database, 0)

    plain = answered(chain(client, explain="true"))
    replies = [
        answered(chain(client, explain="true", greeks="true")),
        answered(smile(client, explain="true")),
        answered(surfaces(client, explain="true")),
    ]

    assert plain["explain"] == {"numbers": [], "snapshot": plain["snapshot"]}
    rows = [replies[0]["options"][0], replies[1]["smiles"][0], replies[2]["rows"][0]]
    for reply, row in zip(replies, rows, strict=True):
        explained = {name for each in reply["explain"]["numbers"] for name in each["number"].split(", ")}
        derived_names = set(row) & (explained | {"delta", "gamma", "vega", "theta", "rho", "atm_iv", "iv_30d", "bf10"})
        assert derived_names <= explained
        assert derived_names
        assert {each["method"] for each in reply["explain"]["numbers"]} == {METHOD}
    assert replies[0]["explain"]["snapshot"] == replies[0]["snapshot"]
    assert replies[2]["explain"]["snapshot"] is None


def test_nothing_that_is_recorded_later_is_in_an_answer(client, database):
    record_chains(database, 0)
    asks = [(chain, {"greeks": "true"}), (smile, {}), (surfaces, {"start": in_iso(START - DAY), "end": AT})]
    before = [answered(ask(client, **params)) for ask, params in asks]

    record_chains(database, 62, PERIOD_S)

    assert [answered(ask(client, **params)) for ask, params in asks] == before
