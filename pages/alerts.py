"""Alerts: how far each rule is from firing, what fired, which messages were sent, and who saw the alert."""

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import plotly.graph_objects as go
import streamlit as st

from pages.common import access, address, moments, ranges, sign_in
from pages.common.chart.component import live_chart
from pages.common.choices import ALL, one_index, one_of
from pages.common.drawn import drawn_once
from pages.common.failed import empty, failed, part
from pages.common.figures import charts, scales
from pages.common.figures.alert_marks import add_alerts
from pages.common.figures.number_chart import number
from pages.common.live import show
from pages.common.reads import alerts as reads
from pages.common.reads.history import History, read_history
from pages.common.reads.recorded import known_indexes, offered, offered_feeds
from pages.common.views import View
from pages.common.words import alert_text, text
from pages.common.words.clock import Clock
from settings import PREFIX
from store.alerts.events import EventStatus
from store.alerts.outlook import RuleStand
from store.alerts.rules.bounded import OfMarket
from store.alerts.rules.rules import Severity, named
from store.errors import StoreError

SPANS, DEFAULT = ["1h", "6h", "1d", "1w", "1M"], "1d"
SEVERITIES = [ALL, "Critical", "Warning", "Info"]
MOST_STANDS, A_PAGE, CHART_HEIGHT = 80, 20, 320
MARKS = "Diamonds are critical, triangles are warnings, dots are information."


def toolbar() -> tuple[str, list[str]]:
    """Draw the choice of an index or a feed, and return the chosen one and all indexes."""
    known = offered(known_indexes)
    return one_index(known, offered_feeds(reads.watched_feeds), on_change=turn_to_newest), known


def shown(name: str, known: list[str]) -> None:
    if access.reads_lake():
        empty(
            "Alerts stay with each recorder: the dashboard beside a recorder shows its rules and what they fired.",
            ":material/notifications_off:",
        )
        return
    at = moments.these_ten_seconds()
    part("Rules", lambda: reads.read_alerts(at), partial(rules, name=name), height=CHART_HEIGHT)
    if name in {ALL, *known}:
        prices(known[0] if name == ALL else name)
    else:
        numbers(name)
    events(name)


def rules(alerts: reads.Alerts, name: str) -> None:
    """The rules in words, and how they stand."""
    st.header("Rules", anchor=False)
    if alerts.in_force and alerts.in_force.fault:
        fault = "  \n".join(map(text.escaped, alerts.in_force.fault.splitlines()))
        st.warning(f"The rules of before stay in force: the file can't be used.  \n{fault}", icon=":material/warning:")
    if alerts.in_force and alerts.in_force.left_out:
        faults = "  \n".join(map(text.escaped, alerts.in_force.left_out))
        st.warning(f"Rules of another version of Tickwell are left out.  \n{faults}", icon=":material/warning:")
    if not alerts.rules:
        no_rules()
        return
    concerned = [rule for rule in alerts.rules if name == ALL or name in rule.rule.watched([name])]
    if sum(len(rule.stands) for rule in concerned) > MOST_STANDS:
        table(concerned, name)
    else:
        with st.grid(min_column_width=330):
            for rule in concerned:
                with st.container(border=True):
                    st.markdown(card(rule, name))
    st.caption(
        who_is_told() if alerts.watched else f"No recorder is running: nothing fires until one runs. {who_is_told()}"
    )


def no_rules() -> None:
    path = access.settings().alerts_file.name
    st.info(
        f"No rules. Copy `alerts.example.toml` to `{path}`, keep what you need, and change the numbers: the recorder "
        f"uses them from its next slot on. {who_is_told()}",
        icon=":material/notifications_off:",
    )


def who_is_told() -> str:
    urls = access.settings().notify_urls
    if not urls:
        return f"Alerts are shown here only, unless a rule has addresses of its own: {PREFIX}NOTIFY_URLS is not set."
    return f"Sent to {', '.join(named(urls))}. `python -m poller alerts test` tries them out."


def card(rule_stand: RuleStand, name: str) -> str:
    """A rule as Markdown."""
    zone = text.zone()
    lines = [f"**{text.escaped(rule_stand.rule.name)}** {alert_text.badge(rule_stand.rule.severity)}"]
    for condition, stands in alert_text.conditions(rule_stand).items():
        lines.append(text.escaped(condition))
        lines += [alert_text.stand(each, zone) for each in stands if name in {ALL, each.feed}]
    terms = [alert_text.last_fired(rule_stand, zone), alert_text.terms(rule_stand.rule)]
    return "  \n".join([*lines, f":small[{text.escaped(', '.join(filter(None, terms)))}]"])


def table(rules: Sequence[RuleStand], name: str) -> None:
    """Many rules, a row for each condition and index."""
    zone = text.zone()
    rows = [row for rule in rules for row in table_rows(rule, name)]
    if not rows:
        empty(f"No rule watches {text.pair(name)}: it is not recorded now.", ":material/notifications_off:")
        return
    columns = (
        "Rule",
        "Severity",
        "Condition",
        "Index or market",
        "State",
        "Now",
        "Distance",
        f"Last fired, {zone.key}",
    )
    st.dataframe(dict(zip(columns, zip(*rows, strict=True), strict=True)), hide_index=True, height=400)


def table_rows(rule_stand: RuleStand, name: str) -> Iterator[tuple[str, ...]]:
    zone = text.zone()
    for condition, stands in alert_text.conditions(rule_stand).items():
        about = (rule_stand.rule.name, rule_stand.rule.severity, condition)
        if not stands:
            yield (
                *about,
                "",
                "",
                "",
                "",
                text.stamp(rule_stand.fired_at, zone) if rule_stand.fired_at else "",
            )
        for each in stands:
            if name in {ALL, each.feed}:
                fired = text.stamp(each.fired_at, zone) if each.fired_at else ""
                distance = each.distance or alert_text.unknown(each, zone)
                yield (*about, each.about, each.state, each.progress, distance, fired)


def prices(index_name: str) -> None:
    """The price of an index with a mark where a rule fired, over a range that the reader chooses."""
    st.header(f"{text.pair(index_name)} and its alerts", anchor=False)
    view = ranges.choose_view(SPANS, DEFAULT)
    part(
        "The chart",
        lambda: read_history(moments.this_second(), (index_name,), view),
        partial(chart, index_name=index_name, view=view),
        about=(index_name, view),
        height=CHART_HEIGHT,
    )


def chart(history: History, index_name: str, view: View) -> None:
    ranges.note_shown(history.start, history.end)
    if not any(len(frame) for frame in history.bars.values()):
        empty("No ticks in this range.")
        return
    zone = text.zone()
    clock = Clock.over(history.start, history.end, zone)
    figure, alt = drawn_once("alerts", history, zone, lambda: figured(history, clock))
    live_chart(
        figure,
        key="alerts",
        view=f"{index_name} {view} {zone.key} {ranges.zooms_so_far()}",
        alt=alt,
        height=CHART_HEIGHT,
        on_zoom=ranges.zooms_from(view.span, history.start, history.end, DEFAULT),
    )
    if "Alerts" in history.unread:
        failed("Alerts", history.unread["Alerts"])
        return
    marks = "Diamonds are critical, triangles are warnings, dots are information. " if history.alerts else ""
    st.caption(f"{alert_text.how_many(history.alerts)} {marks}{clock.note}")


def figured(history: History, clock: Clock) -> tuple[go.Figure, str]:
    """The chart of a range with its alerts, and what it shows in words."""
    inside = history.inside()
    its_scales = scales.fitting(inside)
    figure = charts.lines(history.bars, its_scales, history.interval, clock.zone)
    charts.set_range(figure, history.start, history.end, clock.zone)
    add_alerts(figure, history.alerts, its_scales, clock.zone)
    fired = "" if "Alerts" in history.unread else f" {alert_text.how_many(history.alerts)}"
    return figure, f"{charts.describe(inside, clock.zone)}{fired}"


def numbers(feed: str) -> None:
    """A number of a market with a mark where a rule fired, if rules watch any of this feed."""
    watched = {rule.noun: rule for rule in reads.rules_of_numbers(feed)}
    if not watched:
        return
    noun = (
        one_of("Number", list(watched), next(iter(watched)), key="number") if len(watched) > 1 else next(iter(watched))
    )
    rule = watched[noun]
    st.header(f"{rule.about(feed)} {noun} and its alerts", anchor=False)
    span = ranges.choose_live_span(SPANS, "1d")
    part(
        "The chart",
        lambda: reads.read_number(moments.these_ten_seconds(), rule.series(feed), noun, span),
        partial(number_chart, rule=rule, feed=feed, span=span),
        about=(feed, noun, span),
        height=CHART_HEIGHT,
    )


def number_chart(its: reads.Number, rule: OfMarket, feed: str, span: str) -> None:
    if not its.times:
        empty("No value in this range.")
        return
    zone = text.zone()
    clock = Clock.over(its.start, its.end, zone)
    name = f"{rule.about(feed)} {rule.noun}"
    figure = number(its.times, its.values, its.apart, name, rule.unit, clock.zone)
    charts.set_range(figure, its.start, its.end, clock.zone)
    add_alerts(figure, its.alerts, {feed: 1.0}, clock.zone)
    ends = f"from {text.price(its.values[0])} to {text.price(its.values[-1])} {rule.unit}"
    alt = f"{name} from {text.moment(its.times[0], zone)} to {text.moment(its.times[-1], zone)}: {ends}."
    marked = alert_text.how_many(its.alerts)
    live_chart(figure, key="values", view=f"{name} {span} {zone.key}", alt=f"{alt} {marked}", height=CHART_HEIGHT)
    st.caption(f"{marked} {MARKS} {clock.note}")


def events(name: str) -> None:
    """What fired, newest first."""
    st.header("Events", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        severity = one_of("Severity", SEVERITIES, ALL, key="severity", on_change=turn_to_newest)
        open_only = st.toggle("Not acknowledged", key="open", bind="query-params", on_change=turn_to_newest)
    number = page_number()
    part(
        "Events",
        lambda: reads.newest_alerts(
            moments.this_second(),
            None if name == ALL else name,
            None if severity == ALL else cast("Severity", severity.lower()),
            A_PAGE + 1,
            (number - 1) * A_PAGE,
            acknowledged=not open_only,
        ),
        partial(newest, number=number, of_a_kind=severity != ALL or open_only),
        about=(name, severity, open_only, number),
    )


def newest(found: Sequence[EventStatus], number: int, *, of_a_kind: bool) -> None:
    """Draw a page of the newest events, and buttons for the pages before and after it."""
    trouble = st.session_state.pop("not_noted", None)
    if trouble:
        st.error(f"Not noted. {text.escaped(trouble)}", icon=":material/error:")
    if found:
        listed(found[:A_PAGE])
        turn_pages(number, len(found))
    elif number > 1:
        empty("No event is that old.", ":material/notifications:")
        st.button("Newest", icon=":material/first_page:", on_click=turn_to_newest)
    else:
        empty("No event of this kind." if of_a_kind else "Nothing fired yet.", ":material/notifications:")


def turn_pages(number: int, count: int) -> None:
    """Draw which events a page shows, and buttons for its neighbours; older ones follow if `count` exceeds a page."""
    if number == 1 and count <= A_PAGE:
        return
    first = (number - 1) * A_PAGE + 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Newer", icon=":material/chevron_left:", on_click=turn_to, args=(number - 1,), disabled=number == 1)
        st.button(
            "Older", icon=":material/chevron_right:", on_click=turn_to, args=(number + 1,), disabled=count <= A_PAGE
        )
        st.caption(f"Events {first:,} to {first + min(count, A_PAGE) - 1:,}, newest first.", width="content")


def page_number() -> int:
    """The page of events that the address names; the first one holds the newest."""
    named = address.named("page")
    return int(named) if re.fullmatch("[1-9][0-9]{0,5}", named, re.ASCII) else 1


def turn_to(number: int) -> None:
    address.keep(page="" if number == 1 else str(number))


def turn_to_newest() -> None:
    """Turn to the first page. A choice of other events has other pages."""
    turn_to(1)


def listed(found: Sequence[EventStatus]) -> None:
    """Draw some events, with a button for each one that waits to be acknowledged."""
    reader = sign_in.acknowledges_as(access.settings())
    waiting = [status.event.id for status in found if status.acknowledged_at is None]
    if reader is None and waiting:
        st.caption("To acknowledge alerts, sign in, or open this page on the machine that serves it.")
    elif len(waiting) > 1:
        st.button(
            f"Acknowledge all {len(waiting)} shown", icon=":material/done_all:", on_click=acknowledge, args=(waiting,)
        )
    for status in found:
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(in_words(status), width="stretch")
            if reader and status.acknowledged_at is None:
                st.button(
                    "Acknowledge",
                    key=status.event.id,
                    icon=":material/done:",
                    on_click=acknowledge,
                    args=([status.event.id],),
                    width="content",
                )


def acknowledge(event_ids: Sequence[str]) -> None:
    try:
        reads.acknowledge(event_ids)
    except StoreError as error:
        st.session_state["not_noted"] = str(error)


def in_words(status: EventStatus) -> str:
    """An event as Markdown."""
    event, zone = status.event, text.zone()
    over = " :green-badge[over]" if event.event == "over" else ""
    when = text.when(event.at, zone)
    lines = [
        f"{alert_text.badge(event.severity)}{over} **{text.escaped(event.rule)}**, {when}",
        text.escaped(event.text),
        f":small[{text.escaped(alert_text.became(status, moments.now(), zone))}]",
    ]
    if status.acknowledged_at:
        seen = f"acknowledged by {status.reader}, {text.when(status.acknowledged_at, zone)}"
        lines.append(f":small[{text.escaped(seen)}]")
    return "  \n".join(lines)


show(toolbar, shown)
