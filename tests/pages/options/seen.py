"""What a visitor sees of Options, and the same chain as pandas has it."""

import base64
import json
from typing import Any

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest

from store.models import Snapshot

YEAR_S = 365 * 86_400
COLUMNS = ["mark_price", "mark_iv", "forward", "bid", "ask", "last", "oi", "volume", "volume_usd"]


def framed(its: Snapshot) -> pd.DataFrame:
    frame = pd.DataFrame(its.rows, columns=["expiry", "strike", "side", *COLUMNS])
    frame["years"] = (frame["expiry"] - its.ts).dt.total_seconds() / YEAR_S
    return frame


def expiry_of(its: Snapshot, number: int = 5) -> tuple[str, pd.DataFrame]:
    """An expiry as the address names it, and its rows."""
    frame = framed(its)
    expiry = sorted(frame["expiry"].unique())[number]
    return f"{expiry:%Y-%m-%d}", frame[frame["expiry"] == expiry]


def traces(page: AppTest, key: str) -> dict[str, dict[str, Any]]:
    """The traces of a chart by name, with numbers as arrays."""
    data = json.loads(json.loads(page.get_by_key(key).proto.json)["figure"])["data"]
    return {trace["name"]: {name: unpacked(part) for name, part in trace.items()} for trace in data}


def unpacked(part: Any) -> Any:
    if not (isinstance(part, dict) and "bdata" in part):
        return part
    return np.frombuffer(base64.b64decode(part["bdata"]), part["dtype"])


def layout(page: AppTest, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.loads(page.get_by_key(key).proto.json)["figure"])["layout"]
    return found


def headline(page: AppTest) -> str:
    return next(each.value for each in page.markdown if each.value.startswith("**BTC**"))


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}
