"""An exchange that answers with candles of futures, for tests."""

import json
from urllib.parse import parse_qs, urlsplit

from tests.poller.conftest import Clock, http, refusal, reply

REFUSED = http(json.dumps(refusal(-32602, "Invalid params")).encode(), "400 Bad Request")
BROKEN = http(b"", "502 Bad Gateway")

_MINUTE_MS, _HOUR_MS, _DAY_MS = 60_000, 3_600_000, 86_400_000

_OPENS_MS = {"1": (_MINUTE_MS, 0), "1D": (_DAY_MS, 8 * _HOUR_MS)}
"""The length of a candle, and when the first one of 1970 opens."""


class Exchange:
    """An exchange whose candles cost 7 USD, and that answers some instruments otherwise, at the time of a clock."""

    def __init__(self, clock: Clock, **instead: bytes) -> None:
        self.clock, self.instead = clock, {name.replace("_", "-"): answer for name, answer in instead.items()}

    def __call__(self, target: str) -> bytes:
        if (answer := self.instead.get(named(target))) is not None:
            return answer
        query = parse_qs(urlsplit(target).query)
        start, end = (int(query[f"{edge}_timestamp"][0]) for edge in ("start", "end"))
        step, offset = _OPENS_MS[query["resolution"][0]]
        opens = list(range(start + (offset - start) % step, end + 1, step))
        prices = {name: [7.0] * len(opens) for name in ("open", "high", "low", "close", "volume", "cost")}
        return reply({"status": "ok", "ticks": opens, **prices}, self.clock())


def named(target: str) -> str:
    """The instrument that a request names."""
    return parse_qs(urlsplit(target).query)["instrument_name"][0]
