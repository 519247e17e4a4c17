"""The small drawing on a card: the price of 24 h as an area, and its place between the low and the high.

It is plain HTML in the text's own colour. `st.metric` would draw it with Vega, which every visitor would load and run
(0.3 s of the first view on two cores) and which draws again at each refresh. `st.html` allows no SVG.
"""

import html
import itertools
import math
from collections.abc import Sequence

_HEIGHT_PX = 48
_LINE = 3.5
"""Thickness of the upper edge, in percent of the height."""

_DRAWING = """
<div role="img" aria-label="{label}">
  <div style="position:relative;height:{height}px">
    <div style="position:absolute;inset:0;background:currentColor;opacity:0.12;clip-path:polygon({area})"></div>
    <div style="position:absolute;inset:0;background:currentColor;opacity:0.7;clip-path:polygon({edge})"></div>
  </div>
  <div style="position:relative;height:4px;margin:12px 5px 4px">
    <div style="position:absolute;inset:0;border-radius:2px;background:currentColor;opacity:0.18"></div>
    <div style="position:absolute;left:{position:.1f}%;top:-3px;width:10px;height:10px;margin-left:-5px;
      border-radius:5px;background:currentColor"></div>
  </div>
</div>
"""

Points = list[tuple[float, float]]


def sparkline(closes: Sequence[float], position: float, label: str) -> str:
    """HTML of the drawing.

    Args:
        closes: evenly spaced; NaN breaks the area.
        position: of the newest price, from 0 at the low to 1 at the high.
        label: what the drawing shows, for readers who can't see it.
    """
    stretches = _stretches(closes)
    area = [point for stretch in stretches for point in _from_the_floor(stretch, back_at=stretch[-1][0])]
    edge = [point for stretch in stretches for point in _from_the_floor(_thick(stretch), back_at=stretch[0][0])]
    return _DRAWING.format(
        label=html.escape(label), height=_HEIGHT_PX, position=100 * position, area=_polygon(area), edge=_polygon(edge)
    )


def _stretches(closes: Sequence[float]) -> list[Points]:
    """The points between gaps, in percent of width and of height from above; each stretch covers its bars whole."""
    known = [close for close in closes if not math.isnan(close)]
    low, high = min(known), max(known)
    bar = 100 / len(closes)
    stretches: list[Points] = []
    for is_gap, bars in itertools.groupby(enumerate(closes), lambda each: math.isnan(each[1])):
        if not is_gap:
            heights = [(number, (close - low) / (high - low) if high > low else 0.5) for number, close in bars]
            line = [(bar * (number + 0.5), (100 - _LINE) * (1 - height)) for number, height in heights]
            half = bar / 2
            stretches.append([(line[0][0] - half, line[0][1]), *line, (line[-1][0] + half, line[-1][1])])
    return stretches


def _from_the_floor(outline: Points, back_at: float) -> Points:
    """An outline that begins and ends on the floor, so that what joins it to the next one encloses nothing."""
    return [(outline[0][0], 100), *outline, (back_at, 100)]


def _thick(line: Points) -> Points:
    """The outline around a line: along its upper side, and back."""
    return [*line, *((x, y + _LINE) for x, y in reversed(line))]


def _polygon(points: Points) -> str:
    return ",".join(f"{x:.1f}% {y:.1f}%" for x, y in points)
