"""The range that a reader chooses, one that ends now or one between two times, and its form in the address."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import streamlit as st

from store.instants import from_text

from . import address, moments, zoom
from .chart.component import Zoomed
from .views import EARLIEST, EXACT, LATEST, View, from_chart, to_url, within_reach
from .words import text

_ZOOMS, _ZOOMS_SO_FAR, _SHOWN, _PICKER, _CLEARED = "zooms", "zooms so far", "shown", "range pickers", "cleared"


def choose_view(spans: Sequence[str], default: str, label: str = "Range", *, zooms: bool = True) -> View:
    """Draw the choice of a range, below it the two times of an exact one, and return what was chosen.

    Args:
        spans: of `views.SPANS`; an exact range is always offered.
        default: the span of an address without a range.
        label: of the choice.
        zooms: an exact range can be zoomed out of.
    """
    with st.container():  # what follows keeps its place
        exact = EXACT if address.named("start") or address.named("end") else ""
        span = _choose([*spans, EXACT], address.named("range") or exact, default, label)
        if span == EXACT:
            return _exact_view(default, zooms=zooms)
    _go_to(span, default)
    return View(span)


def _exact_view(default: str, *, zooms: bool) -> View:
    """The exact range, with inputs to change its times."""
    start, end = _exact_range()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _edit(start, end)
        st.button(
            "Zoom out",
            icon=":material/zoom_out:",
            on_click=_zoom,
            args=("out", zoom.Shown(EXACT, start, end), default),
            disabled=not zooms,
        )
    return View(EXACT, start, end)


def choose_live_span(spans: Sequence[str], default: str) -> str:
    """One of some spans that end now."""
    span = _choose(spans, address.named("range"), default, "Range")
    _go_to(span, default)
    return span


def _choose(spans: Sequence[str], named: str, default: str, label: str) -> str:
    """Draw the choice of a range, and return the range that the address names, or the default."""
    span = named if named in spans else default
    key = _picker(span)
    st.segmented_control(
        label,
        spans,
        default=span,
        required=True,
        key=key,
        on_change=picked,
        args=(key, default, span),
        wrap=True,
    )
    return span


def _go_to(span: str, default: str) -> None:
    """Name a range that ends now in the address, unless it is the default."""
    address.keep(range="" if span == default else span, start="", end="")


def _picker(span: str) -> str:
    """The key of the range's widget. A widget that shows another range than the address is replaced.

    Else a refresh that was under way would bring back the range of before: it carries the state of each widget.
    """
    number = st.session_state.get(_PICKER, 0)
    if st.session_state.get(f"range {number}", span) != span:
        number += 1
    st.session_state[_PICKER] = number
    return f"range {number}"


def picked(key: str, default: str, drawn: str) -> None:
    """Go to the range that the reader clicked; "Exact" begins with what was shown.

    Streamlit also calls this for a widget that was replaced meanwhile, if a refresh that was under way still has it,
    and for one that still is as it was `drawn`, if the run that drew it was overtaken.
    """
    span = st.session_state[key]
    if key != f"range {st.session_state[_PICKER]}" or span == drawn:
        return
    _forget_zooms()
    if span == EXACT:
        _look_at(*(st.session_state.get(_SHOWN) or _last_day()))
    else:
        _go_to(span, default)


def _exact_range() -> tuple[datetime, datetime]:
    """The exact range in the address, else the range that was shown before, else the last day."""
    start, end = _named() or st.session_state.get(_SHOWN) or _last_day()
    address.keep(start=to_url(start), end=to_url(end))
    return start, end


def note_shown(start: datetime, end: datetime) -> None:
    """Remember the range that is shown."""
    st.session_state[_SHOWN] = start, end


def forget_shown() -> None:
    """Forget what was shown, since another page or another address is."""
    st.session_state.pop(_SHOWN, None)
    _forget_zooms()


def _edit(start: datetime, end: datetime) -> None:
    """Show the two times of an exact range in inputs."""
    for name, label, at in (("start", "From", start), ("end", "To", end)):
        local = at.astimezone(text.zone()).replace(tzinfo=None, second=0, microsecond=0)
        # The key holds the shown time, so that a late rerun can't bring back a time that was replaced.
        key = f"{name} {to_url(at)} {text.zone().key} {st.session_state.get(_CLEARED, 0)}"
        st.datetime_input(
            label,
            value=local,
            min_value=EARLIEST - timedelta(days=1),  # in the zone's time
            max_value=LATEST + timedelta(days=1),
            key=key,
            step=60,
            on_change=_typed,
            args=(name, key, local),
            width=200,
            format="YYYY-MM-DD",
        )


def _look_at(start: datetime, end: datetime) -> None:
    """Go to an exact range."""
    start, end = within_reach(start, end)
    address.keep(range=EXACT, start=to_url(start), end=to_url(end))


def zooms_from(span: str, start: datetime, end: datetime, default: str) -> Callable[[Zoomed], None]:
    """What a chart calls when the reader zooms it, for a shown range of a page with that default."""
    return partial(_zoom_in_chart, now=zoom.Shown(span, start, end), default=default)


def zooms_so_far() -> int:
    """How often the reader zoomed, as a part of the name of a chart's view.

    Without it, Back pressed before the zoomed chart is drawn would show the zoom again.
    """
    count: int = st.session_state.get(_ZOOMS_SO_FAR, 0)
    return count


def _zoom_in_chart(to: Zoomed, now: zoom.Shown, default: str) -> None:
    """Zoom, and run the whole page: a chart alone runs the live part without the choices."""
    _zoom(to, now, default)
    st.rerun()


def _zoom(to: Zoomed, now: zoom.Shown, default: str) -> None:
    """Go to the range that the reader dragged over, or back to the range before the last zoom."""
    st.session_state[_ZOOMS_SO_FAR] = zooms_so_far() + 1
    if to == "out":
        _zoom_out(now, default)
    else:
        st.session_state[_ZOOMS] = zoom.push(st.session_state.get(_ZOOMS, ()), now)
        _look_at(*map(from_chart, to))


def _zoom_out(now: zoom.Shown, default: str) -> None:
    """Go back to before the last zoom, else to twice the shown range."""
    st.session_state[_ZOOMS], before = zoom.pop(st.session_state.get(_ZOOMS, ()), now)
    if before is None:
        _look_at(*zoom.doubled(now))
    elif before.span == EXACT:
        _look_at(before.start, before.end)
    else:
        _go_to(before.span, default)


def _forget_zooms() -> None:
    st.session_state.pop(_ZOOMS, None)


def _named() -> tuple[datetime, datetime] | None:
    """The exact range that the address names; None without one."""
    written = [address.named(name) for name in ("start", "end")]
    if not any(written):
        return None
    try:
        start, end = map(from_text, written)
    except ValueError:
        st.warning("start and end in the address must be times such as 2026-11-22T18:00Z.", icon=":material/warning:")
        return None
    if start >= end:
        st.warning("That range ends before it starts.", icon=":material/warning:")
        return None
    return within_reach(start, end)


def _last_day() -> tuple[datetime, datetime]:
    now = moments.now()
    return now - timedelta(days=1), now


def _typed(name: str, key: str, put: datetime) -> None:
    """Put the time that the reader typed into the address, as one end of the range. A cleared input gets its time back.

    Streamlit also calls this for an input that the page has replaced meanwhile. Its time is still `put`, and nothing
    changes.
    """
    local = st.session_state[key]
    if local is None:
        st.session_state[_CLEARED] = st.session_state.get(_CLEARED, 0) + 1
    elif local != put:
        _forget_zooms()
        # Clocks show some times twice: an end in the second of both hours stays there.
        address.keep(**{name: to_url(local.replace(tzinfo=text.zone(), fold=put.fold))})
