"""Alerts: how far each rule is from firing, what fired, which messages were sent, and who saw the alert."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import cast

import streamlit as st

from pages.common import access, moments, sign_in
from pages.common.chart.component import live_chart
from pages.common.figures import charts
from pages.common.figures.alert_marks import add_alerts
from pages.common.reads import alerts as reads
from pages.common.reads.history import read_history
from pages.common.reads.recorded import known_indexes
from pages.common.views import View
from pages.common.words import alert_text, text
from settings import PREFIX
from store.alerts.events import EventStatus
from store.alerts.outlook import RuleStand
from store.alerts.rules.rules import Severity, named
from store.errors import StoreError

ALL = "All"
SPANS = ["1h", "6h", "1d", "1w", "1M"]
SEVERITIES = [ALL, "Critical", "Warning", "Info"]
MOST_STANDS = 80
A_PAGE = 20
CHART_HEIGHT = 320


def toolbar() -> str:
    """Draw the choice of the index, and return the chosen one."""
    return st.selectbox("Index", [ALL, *known_indexes()], key="index", bind="query-params", width=200)


def shown(name: str) -> None:
    try:
        with st.skeleton(height=CHART_HEIGHT):
            alerts = reads.read_alerts(moments.these_ten_seconds())
    except StoreError:
        return  # the header shows the error
    rules(alerts, name)
    for part in (chart, events):
        with suppress(StoreError):  # the header shows the error
            part(name)


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
    concerned = [rule for rule in alerts.rules if name == ALL or not rule.rule.indexes or name in rule.rule.indexes]
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
        lines += [alert_text.stand(each, zone) for each in stands if name in {ALL, each.index_name}]
    terms = [alert_text.last_fired(rule_stand, zone), alert_text.terms(rule_stand.rule)]
    return "  \n".join([*lines, f":small[{text.escaped(', '.join(filter(None, terms)))}]"])


def table(rules: Sequence[RuleStand], name: str) -> None:
    """Many rules, a row for each condition and index."""
    zone = text.zone()
    rows = [row for rule in rules for row in table_rows(rule, name)]
    columns = ("Rule", "Severity", "Condition", "Index", "State", "Now", "Distance", f"Last fired, {zone.key}")
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
                text.moment(rule_stand.fired_at, zone, seconds=True) if rule_stand.fired_at else "",
            )
        for each in stands:
            if name in {ALL, each.index_name}:
                fired = text.moment(each.fired_at, zone, seconds=True) if each.fired_at else ""
                yield (*about, text.pair(each.index_name), each.state, each.progress, each.distance, fired)


def chart(name: str) -> None:
    """The price with a mark where a rule fired."""
    known = known_indexes()
    index_name = known[0] if name == ALL else name
    st.header(f"{text.pair(index_name)} and its alerts", anchor=False)
    span = st.segmented_control(
        "Range", SPANS, default="1d", required=True, key="range", bind="query-params", wrap=False
    )
    history = read_history(moments.this_second(), (index_name,), View(span))
    if not any(len(frame) for frame in history.bars.values()):
        st.info("No ticks in this range.", icon=":material/hourglass_empty:")
        return
    zone = text.zone()
    figure = charts.lines(history.bars, history.interval, zone)
    charts.set_range(figure, history.start, history.end, zone)
    add_alerts(figure, history.alerts, history.bars, zone)
    live_chart(
        figure,
        key="alerts",
        view=f"{index_name} {span} {zone.key}",
        alt=f"{charts.describe(history.inside(), zone)} {alert_text.how_many(history.alerts)}",
        height=CHART_HEIGHT,
    )
    st.caption(
        f"{alert_text.how_many(history.alerts)} Diamonds are critical, triangles are warnings, dots are information."
    )


def events(name: str) -> None:
    """What fired, newest first."""
    st.header("Events", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        severity = st.segmented_control(
            "Severity", SEVERITIES, default=ALL, required=True, key="severity", bind="query-params", wrap=False
        )
        open_only = st.toggle("Not acknowledged", key="open", bind="query-params")
    trouble = st.session_state.pop("not_noted", None)
    if trouble:
        st.error(f"Not noted. {text.escaped(trouble)}", icon=":material/error:")
    limit = st.session_state.get("limit", A_PAGE)
    found = reads.newest_alerts(
        moments.this_second(),
        None if name == ALL else name,
        None if severity == ALL else cast("Severity", severity.lower()),
        limit + 1,
        acknowledged=not open_only,
    )
    if not found:
        st.info(
            "No event of this kind." if severity != ALL or open_only else "Nothing fired yet.",
            icon=":material/notifications:",
        )
        return
    listed(found[:limit])
    if len(found) > limit:
        st.button("Show more", icon=":material/expand_more:", on_click=show_more)


def show_more() -> None:
    st.session_state["limit"] = st.session_state.get("limit", A_PAGE) + A_PAGE


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
    when = alert_text.when(event.at, zone)
    lines = [
        f"{alert_text.badge(event.severity)}{over} **{text.escaped(event.rule)}**, {when}",
        text.escaped(event.text),
        f":small[{text.escaped(alert_text.became(status, moments.now(), zone))}]",
    ]
    if status.acknowledged_at:
        seen = f"acknowledged by {status.reader}, {alert_text.when(status.acknowledged_at, zone)}"
        lines.append(f":small[{text.escaped(seen)}]")
    return "  \n".join(lines)


def page() -> None:
    try:
        name = toolbar()
    except StoreError:
        return  # the header shows the error
    st.fragment(shown, run_every=access.refresh_every())(name)


page()
