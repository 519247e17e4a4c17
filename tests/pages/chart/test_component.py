"""A figure goes to the browser as typed arrays that hold what it shows."""

import base64
import json
from datetime import datetime
from typing import Any

import numpy as np
import plotly.graph_objects as go

from pages.common.chart.component import packed
from tests.pages.conftest import times

AT = [datetime(2026, 11, 1, 12), datetime(2026, 11, 1, 12, 0, 0, 7000)]  # noqa: DTZ001 on a wall


def trace(**parts: Any) -> dict[str, Any]:
    (found,) = json.loads(packed(go.Figure([{"type": "scatter", **parts}])))["data"]
    return dict(found)


def test_times_are_milliseconds_of_the_wall_clock():
    assert times(trace(x=np.array(AT, dtype="datetime64[us]"))["x"]) == AT


def test_numbers_keep_their_digits_and_their_gaps():
    found = trace(y=np.array([100.25, np.nan, 1e-9]))["y"]

    np.testing.assert_array_equal(
        np.frombuffer(base64.b64decode(found["bdata"]), found["dtype"]), [100.25, np.nan, 1e-9]
    )


def test_other_values_stay_as_they_are():
    found = trace(x=AT, y=[1, 2], hovertext=np.array(["a", "b"], dtype=object))

    assert found["x"] == ["2026-11-01T12:00:00", "2026-11-01T12:00:00.007000"]
    assert (found["y"], found["hovertext"]) == ([1, 2], ["a", "b"])
