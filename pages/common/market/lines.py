"""Series of the market over a range, and the spread or the ratio of two: their panels, tables and words."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from pages.common.figures.panels import Panel, digits_of
from pages.common.reads.series import Lines
from pages.common.words import series_text, tables, text

from .compared import combined
from .pairs import MOVES, RATIO, SPREAD, Pair

_NUMBERS = ("First", "Last", "Change", "Lowest", "Highest")


def panels_of(lines: Lines, market: Sequence[str], pair: Pair | None) -> list[Panel]:
    """A panel for each scale of the series, and one for the pair of lines. A panel without any value is left out."""
    scales: dict[str, dict[str, pd.DataFrame]] = {}
    for name in market:
        frame = lines.frames.get(name)
        if frame is not None and len(frame):
            scales.setdefault(series_text.panel(name), {})[name] = frame
    panels = [Panel(title, series_text.PERCENT, its) for title, its in scales.items()]
    made = _paired(lines, pair)
    if pair and made is not None and len(made):
        unit = pair.unit or ""
        panels.append(Panel(f"{pair.name}{unit and f', {unit}'}", unit, {pair.name: made}))
    return panels


def _paired(lines: Lines, pair: Pair | None) -> pd.DataFrame | None:
    """The spread or the ratio of two lines; None if there is none."""
    if pair is None or pair.how == MOVES or pair.unit is None:
        return None
    a, b = lines.frames.get(pair.a), lines.frames.get(pair.b)
    return None if a is None or b is None else combined(a, b, "spread" if pair.how == SPREAD else "ratio")


def about(
    lines: Lines, market: Sequence[str], pair: Pair | None, panels: Sequence[Panel], start: datetime, zone: Any
) -> list[str]:
    """What panels can't say by themselves, in sentences."""
    if not lines.frames:
        return []
    words = [f"Series have a value each {text.span(lines.step)}."]
    for name in market:
        if not len(lines.frames[name]):
            words.append(f"No {name} is known in this range.")
        if name in lines.since and lines.since[name] > start:
            words.append(f"{name} is recorded since {text.moment(lines.since[name], zone)}.")
    return [*words, *_about_pair(pair, panels)]


def _about_pair(pair: Pair | None, panels: Sequence[Panel]) -> list[str]:
    if pair is None or pair.how == MOVES:
        return []
    if pair.unit is None:
        units = " and ".join(f"{series_text.title(name)} in {series_text.unit(name)}" for name in (pair.a, pair.b))
        return [f"{units} have no difference; they have a ratio: {RATIO}."]
    made = next((panel.lines[pair.name] for panel in panels if pair.name in panel.lines), None)
    if made is None:
        return [f"Nothing is known of {pair.name}: it needs both at the same time."]
    dashed = f" Dashed parts of {pair.name} are made of averages." if made["averaged"].any() else ""
    return [f"{pair.name} is known where both are.{dashed}"]


def units_of(panels: Sequence[Panel]) -> Mapping[str, str]:
    """The unit of each line."""
    return {name: panel.unit for panel in panels for name in panel.lines}


def described(panels: Sequence[Panel]) -> str:
    """What panels show, for readers who can't see them."""
    return series_text.described(
        {name: frame for panel in panels for name, frame in panel.lines.items()}, units_of(panels)
    )


def measures(panels: Sequence[Panel]) -> None:
    """Draw the first, last, lowest and highest value of each line, with its unit."""
    rows = [(name, panel.unit, frame) for panel in panels for name, frame in panel.lines.items()]
    digits = [digits_of(frame, unit) for _, unit, frame in rows]
    numbers = [_numbers(frame["value"], its) for (*_, frame), its in zip(rows, digits, strict=True)]
    shown = f"%,.{digits[0]}f" if len(set(digits)) == 1 else "plain"
    st.dataframe(
        {
            "Series": [name for name, _, _ in rows],
            "Unit": [unit for _, unit, _ in rows],
            **dict(zip(_NUMBERS, zip(*numbers, strict=True), strict=True)),
        },
        column_config=dict.fromkeys(_NUMBERS, st.column_config.NumberColumn(format=shown)),
        hide_index=True,
    )


def _numbers(values: "pd.Series[float]", digits: int) -> tuple[float, ...]:
    first, last = values.iloc[0], values.iloc[-1]
    return tuple(round(float(each), digits) for each in (first, last, last - first, values.min(), values.max()))


def table(panels: Sequence[Panel], zone: ZoneInfo) -> None:
    """Draw the lines as a table, row by row."""
    found = pd.concat(
        [
            pd.DataFrame(
                {
                    "Series": name,
                    f"Time, {zone.key}": tables.stamps(frame["open_time"], zone),
                    "Value": frame["value"],
                    "Unit": panel.unit,
                    "Made of averages": frame["averaged"],
                }
            )
            for panel in panels
            for name, frame in panel.lines.items()
        ]
    )
    st.dataframe(found, column_config=tables.prices(["Value"], found["Value"]), hide_index=True, height=320)
