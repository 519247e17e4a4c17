"""The types of command options, beyond texts and numbers."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from store.instants import from_text
from store.intake.rows.spacing import LONGEST_CANDLE
from store.prices.bars import INTERVAL_NAMES, SINGLE_TICKS

# Click would say that a path in a folder without access does not exist. The command says what the system says.
PATH = click.Path(readable=False, path_type=Path)
FOLDER = click.Path(readable=False, file_okay=False, path_type=Path)


class _Instant(click.ParamType[datetime]):
    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            return from_text(value)
        except ValueError:
            self.fail(f"{value}: must be a time such as 2026-11-22T18:00Z", param, ctx)


class _Candle(click.ParamType[int]):
    name = "length"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        lengths = {name: round(each.total_seconds()) for each, name in INTERVAL_NAMES.items()}
        try:
            seconds = lengths[value] if value in lengths else int(value)
        except ValueError:
            seconds = 0
        if not 1 <= seconds <= LONGEST_CANDLE.total_seconds():
            self.fail(f"{value}: must be {', '.join(lengths)} or a number of seconds, a week at most", param, ctx)
        return seconds


class _Interval(click.ParamType[timedelta]):
    name = "interval"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        known = {"ticks": SINGLE_TICKS, **{name: each for each, name in INTERVAL_NAMES.items()}}
        if value not in known:
            self.fail(f"{value}: must be one of {', '.join(known)}", param, ctx)
        return known[value]


INSTANT = _Instant()
"""A time in ISO 8601; UTC without a zone."""

CANDLE_S = _Candle()
"""The length of a candle, such as 1h, in seconds."""

INTERVAL = _Interval()
"""The length of a candle, such as 1m; zero for ticks."""
