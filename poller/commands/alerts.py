"""`python -m poller alerts`: does each address get its messages, and which alerts would rules have fired?"""

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from pydantic import SecretStr

from poller.alerts.judging import addresses, file_of, read_rules
from poller.alerts.notify import Message, NotifyError, Target
from poller.feeds.chosen import feeds_of, periods_s
from poller.network.http_client import check_environment
from settings import PREFIX, SettingsError
from store.alerts.events import Event
from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.rule_file import load_rules
from store.file.clock import exchange_now
from store.instants import in_iso
from store.models import utc_now

from .parts import database_of, known_feeds, load, one_line, progress_bar
from .types import INSTANT, PATH

if TYPE_CHECKING:
    from store.alerts.replay.replay import Replayed

_REPLAYED = timedelta(days=30)
_AT_ONCE = 16
_NOT_REPLAYED = "can't be replayed: past lags are not kept"


@click.group()
def alerts() -> None:
    """Try out the addresses of alerts, and what rules would have fired."""


@alerts.command()
@one_line
def test() -> None:
    """Send one message to each address of alerts; exit 1 if one fails."""
    settings = load()
    targets = addresses(settings, read_rules(settings, periods_s(feeds_of(settings))))
    if not targets:
        raise SettingsError(f"no address gets alerts: set {PREFIX}NOTIFY_URLS, or notify in a rule")
    check_environment(settings, tells=True)
    message = Message("Tickwell: test", f"Alerts will reach you here. Sent at {utc_now():%Y-%m-%d %H:%M:%S} UTC")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        sent = list(pool.map(partial(_sent, message), targets, targets.values()))
    if not all(sent):
        sys.exit(1)


def _sent(message: Message, name: str, address: SecretStr) -> bool:
    """Send a message to a target, and print the outcome."""
    try:
        Target(address).tell(message)
    except NotifyError as error:
        click.echo(f"{name}: not sent, {error}", err=True)
        return False
    click.echo(f"{name}: sent")
    return True


@alerts.command()
@click.option("--from", "start", type=INSTANT, help="From this time on, ISO 8601; 30 days before the end if left out.")
@click.option("--to", "end", type=INSTANT, help="Up to this time; now if left out.")
@click.option("--rules", "path", metavar="FILE", type=PATH, help="Rules in place of alerts.toml.")
@click.option("--json", "as_json", is_flag=True, help="Print an object with times in ISO 8601, UTC.")
@one_line
def replay(start: datetime | None, end: datetime | None, path: Path | None, *, as_json: bool) -> None:
    """List the alerts that rules would have fired on the recorded ticks; works beside a recorder."""
    from store.alerts.replay.replay import replay as replayed  # it loads NumPy, which no other command needs

    settings = load()
    database = database_of(settings)
    now = exchange_now(settings.database)
    end = min(end or now, now)
    start = start or end - _REPLAYED
    if start >= end:
        raise click.UsageError(f"--from {in_iso(start)}: must be before the end, {in_iso(end)}")
    names = known_feeds(database, settings)
    rules = load_rules(path or file_of(settings), names)
    with progress_bar("replaying") as tell:
        found = replayed(database, rules, names, start, end, now, tell)
    if as_json:
        click.echo(json.dumps(_as_json(found, rules, start, end)))
    else:
        click.echo("\n".join(_in_words(found, rules)))


def _in_words(found: "Replayed", rules: Sequence[AnyRule]) -> Iterator[str]:
    """A line for each time that a rule fired, and a line for each rule with how often it fired."""
    for event in found.events:
        if event.event == "fired":
            yield f"{event.at:%Y-%m-%d %H:%M:%S} UTC {event.severity:<8} {event.rule}: {event.text}"
    yield f"days: {found.days}, of these with observations: {found.days_observed}"
    for rule in rules:
        yield f"{rule.name}: {_times_in_words(_days_fired(found, rule)) if rule.replays else _NOT_REPLAYED}"


def _times_in_words(days: Counter[str]) -> str:
    if not days:
        return "never fired"
    if days.total() == 1:
        return f"fired once, on {''.join(days)}"
    ((busiest, most),) = days.most_common(1)
    if len(days) == 1:
        return f"fired {days.total()} times, all on {busiest}"
    return f"fired {days.total()} times, on {len(days)} days, at most {most} on one: {busiest}"


def _days_fired(found: "Replayed", rule: AnyRule) -> Counter[str]:
    """How often a rule fired, by day."""
    return Counter(f"{each.at:%Y-%m-%d}" for each in found.events if each.rule == rule.name and each.event == "fired")


def _as_json(found: "Replayed", rules: Sequence[AnyRule], start: datetime, end: datetime) -> dict[str, Any]:
    return {
        "start": in_iso(start),
        "end": in_iso(end),
        "days": found.days,
        "days_observed": found.days_observed,
        "rules": [
            {"rule": rule.name, "fired": _days_fired(found, rule).total() if rule.replays else None} for rule in rules
        ],
        "events": [_event_as_json(event) for event in found.events],
    }


def _event_as_json(event: Event) -> dict[str, Any]:
    numbers = {"price": event.price, "value": event.value, "threshold": event.threshold}
    return {
        "at": in_iso(event.at),
        "rule": event.rule,
        "condition": event.condition,
        "index": event.index_name,
        "event": event.event,
        "severity": event.severity,
        **{name: None if math.isnan(number) else number for name, number in numbers.items()},
        "text": event.text,
    }
