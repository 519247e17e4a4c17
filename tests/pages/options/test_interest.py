"""Options: bars by strike."""

from datetime import datetime

import numpy as np
import pytest

from tests.pages.conftest import Open
from tests.support.market import chain

from .seen import expiry_of, layout, metrics, traces


def test_open_interest_has_calls_up_puts_down_and_lines_at_index_and_max_pain(open_page: Open, record, ts):
    its = chain("BTC", ts)
    record(its)
    name, rows = expiry_of(its)

    page = open_page("options", expiry=name)

    bars, about = traces(page, "open-interest"), layout(page, "open-interest")
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

    assert any(note["text"].startswith("Mean index ") for note in layout(page, "open-interest")["annotations"])
