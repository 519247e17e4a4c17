"""Options: bars by strike."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from vollib.black.greeks import analytical

from store.instants import DAY
from tests.pages.conftest import Open, captions
from tests.support.market import chain

from .seen import expiry_of, framed, layout, metrics, traces


def test_open_interest_has_calls_up_puts_down_and_lines_at_index_and_max_pain(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    bars, about = traces(page, "by-strike"), layout(page, "by-strike")
    oi = rows.pivot(index="strike", columns="side", values="oi")
    assert its.index_price
    np.testing.assert_allclose(bars["Calls"]["y"], oi["call"])
    np.testing.assert_allclose(bars["Puts"]["y"], -oi["put"])
    lines = {note["text"].rpartition(" ")[0].replace("Mean index", "Index"): note["x"] for note in about["annotations"]}
    assert lines == pytest.approx(
        {
            "Index": np.interp(its.index_price, oi.index, range(len(oi))),
            "Max pain": list(oi.index).index(float(metrics(page)["Max pain"].replace(",", ""))),
        }
    )


def test_while_options_settle_the_line_is_that_of_the_mean_index(open_page: Open, record):
    record(chain("BTC", datetime.fromisoformat("2026-06-01T07:45:00Z")))

    page = open_page("options", at="2026-06-01T07:46Z")

    assert any(note["text"].startswith("Mean index ") for note in layout(page, "by-strike")["annotations"])
    assert any("The index is its mean since 07:30 UTC." in each for each in captions(page))


@pytest.mark.parametrize(("bars", "column"), [("Volume", "volume"), ("Gamma", "gamma"), ("Open interest", "oi")])
def test_volume_and_gamma_by_strike_and_by_expiry_are_those_of_pandas(open_page: Open, record, ts, bars, column):
    its = chain("BTC", ts)
    record(its)
    name, _ = expiry_of(its)

    page = open_page("options", expiry=name, bars=bars)

    frame = framed(its)
    frame["gamma"] = [gamma_in_millions(row) for row in frame.itertuples()]
    rows = frame[frame["expiry"] == sorted(frame["expiry"].unique())[5]]
    expected = rows.pivot(index="strike", columns="side", values=column)
    drawn = traces(page, "by-strike")
    np.testing.assert_allclose(drawn["Calls"]["y"], expected["call"], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(drawn["Puts"]["y"], -expected["put"], rtol=1e-6, atol=1e-9)
    factor = 1 if bars == "Gamma" else (its.index_price or 0) / 1e6
    by_expiry = frame.groupby("expiry")[column].sum() * factor
    assert calendar(page) == pytest.approx(
        {f"{expiry:%Y-%m-%d}": value for expiry, value in by_expiry.items()}, rel=1e-6
    )


def gamma_in_millions(row: Any) -> float:
    """G of an option in millions of USD, by vollib."""
    gamma = analytical.gamma(row.side[0], row.forward, row.strike, row.years, 0, row.mark_iv / 100)
    return float(gamma * row.oi * row.forward**2 / 100 / 1e6)


def calendar(page: AppTest) -> dict[str, float]:
    """The heights of the bars of the calendar, by the expiry in the address."""
    bars = traces(page, "calendar").values()
    return {day: float(y) for part in bars for day, y in zip(part["customdata"], part["y"], strict=True)}


def test_the_change_of_open_interest_is_counted_from_the_moment_to_compare_with(open_page: Open, record, ts):
    its, before = chain("BTC", ts), chain("BTC", ts - DAY)
    record(before, its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name, bars="Change", vs="1d")

    now, then = (
        frame[frame["expiry"] == rows["expiry"].iloc[0]].pivot(index="strike", columns="side", values="oi")
        for frame in (framed(its), framed(before))
    )
    change, drawn = now.sub(then), traces(page, "by-strike")
    np.testing.assert_allclose(drawn["Calls"]["y"], change["call"])
    np.testing.assert_allclose(drawn["Puts"]["y"], change["put"])
    both = framed(its).groupby("expiry")["oi"].sum() - framed(before).groupby("expiry")["oi"].sum()
    listed = framed(its)["expiry"].unique()
    expected = {f"{each:%Y-%m-%d}": both.fillna(0)[each] * (its.index_price or 0) / 1e6 for each in listed}
    assert calendar(page) == pytest.approx(expected)
    assert any("since" in line for line in captions(page))


def test_without_a_moment_to_compare_with_a_change_is_not_shown_and_that_is_said(open_page: Open, record, ts):
    record(chain("BTC", ts))

    page = open_page("options", bars="Change")

    assert "A change needs a moment to compare with: open interest is shown." in captions(page)
    assert "Open interest by strike" in [each.value for each in page.header]
    assert "Calls" in traces(page, "by-strike")
