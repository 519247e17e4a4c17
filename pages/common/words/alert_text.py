"""Alerts in words: how a rule and its conditions stand, and which messages of an event were sent."""

from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pages.common.views import MOST_ALERTS
from store.alerts.events import Delivery, Event, EventStatus
from store.alerts.outlook import RuleStand, Stand
from store.alerts.rules.condition import Condition
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.record_kinds import GapClosed
from store.alerts.rules.rules import Severity

from . import text

_COLOURS: dict[Severity, str] = {"critical": "red", "warning": "orange", "info": "gray"}
_ICONS = {
    "ready": ":green[:material/check_circle:]",
    "holding": ":orange[:material/notifications:]",
    "fired": ":red[:material/notifications_active:]",
    "cooling down": ":orange[:material/timer:]",
    "waiting": ":gray[:material/hourglass_empty:]",
    "unknown": ":gray[:material/hourglass_empty:]",
}


def badge(severity: Severity) -> str:
    """A severity as Markdown."""
    return f":{_COLOURS[severity]}-badge[{severity}]"


def how_many(events: Sequence[Event]) -> str:
    """How many alerts a chart marks."""
    if not events:
        return "No alert in this range."
    if len(events) < MOST_ALERTS:
        return f"{text.count(len(events), 'alert')}."
    return f"The newest {len(events)} alerts are marked."


def stand(current: Stand, zone: ZoneInfo) -> str:
    """How a condition stands on an index, as Markdown, such as "BTC / USD: 1.2 % of 3 %, 1.8 % to go"."""
    progress = f" **{text.escaped(current.progress)}**" if current.progress else ""
    return f"{_ICONS[current.state]} {text.escaped(current.about)}:{progress}{_state(current, zone)}"


def _state(current: Stand, zone: ZoneInfo) -> str:
    match current.state:
        case "fired":
            return f", fired {text.when(current.fired_at, zone)}" if current.fired_at else ", fired"
        case "cooling down":
            until = f" until {text.when(current.ready_at, zone)}" if current.ready_at else ""
            return f", {text.escaped(current.distance)}, cooling down{until}"
        case "unknown":
            return f" {unknown(current, zone)}"
        case "ready" | "holding" | "waiting":
            return f", {text.escaped(current.distance)}"


def unknown(current: Stand, zone: ZoneInfo) -> str:
    """Why nothing is said of a condition now."""
    if current.stale_at is None:
        return "too little is known yet"
    return f"too little is known: nothing newer than {text.when(current.stale_at, zone)}"


def terms(rule: AnyRule) -> str:
    """What applies to all conditions of a rule."""
    words = []
    if isinstance(rule, Condition) and rule.cool_down:
        words.append(f"cool-down {text.span(rule.cool_down)}")
    if isinstance(rule, Condition) and rule.recovery:
        words.append("sends a message when it is over")
    if rule.quiet:
        words.append(f"quiet {rule.quiet}")
    if rule.notify == ():
        words.append("sends no message")
    return ", ".join(words)


def conditions(rule_stand: RuleStand) -> dict[str, list[Stand]]:
    """The conditions of a rule in words, and how each stands on each index."""
    if isinstance(rule_stand.rule, GapClosed):
        return {rule_stand.rule.words(): []}
    found: dict[str, list[Stand]] = {}
    for each in rule_stand.stands:
        found.setdefault(each.condition, []).append(each)
    return found


def last_fired(rule_stand: RuleStand, zone: ZoneInfo) -> str:
    return f"last fired {text.when(rule_stand.fired_at, zone)}" if rule_stand.fired_at else "never fired"


def became(status: EventStatus, now: datetime, zone: ZoneInfo) -> str:
    """The outcome of sending an event, for each target."""
    if not status.event.targets:
        return "shown here only"
    last = {delivery.target: delivery for delivery in status.deliveries}
    return "; ".join(_became(target, last.get(target), status.event, now, zone) for target in status.event.targets)


def _became(target: str, last: Delivery | None, event: Event, now: datetime, zone: ZoneInfo) -> str:
    if last is None and event.send_after > now:
        return f"{target}: waits for the end of quiet hours, {text.when(event.send_after, zone)}"
    if last is None:
        return f"{target}: not sent yet"
    if last.outcome == "sent":
        return f"{target}: sent {text.when(last.at, zone)}"
    if last.outcome == "given up":
        return f"{target}: not sent, given up: {last.detail}"
    return f"{target}: not sent yet, tried {'once' if last.tries == 1 else f'{last.tries} times'}: {last.detail}"
