"""The feeds of the market and its self-checks as tables. States are words, and colours only repeat them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any

from store.health.checks import Stretch
from store.health.status import age_in_words
from store.market.checks import CHECKS

from . import text

_STATES = {"ok": "Good", "note": "To note", "warn": "Warning"}


def headline(checks: Sequence[Stretch]) -> str:
    """What the newest results say together, with an icon and a colour."""
    bad = [each for each in checks if each.state != "ok"]
    if not bad:
        return f":green[:material/check_circle:] {text.count(len(checks), 'check')}, all good."
    listed = "; ".join(f"{_STATES[each.state].lower()}, {each.words}" for each in bad)
    return (
        f":orange[:material/error:] {len(bad)} of {text.count(len(checks), 'check')} not good: {text.escaped(listed)}."
    )


def newest_checks(checks: Sequence[Stretch], now: datetime) -> dict[str, list[Any]]:
    """A row for each check: its newest result."""
    return {
        "Check": [CHECKS[each.name].title for each in checks],
        "Feed": [each.feed for each in checks],
        "State": [_STATES[each.state] for each in checks],
        "Value": [CHECKS[each.name].words(each.value) for each in checks],
        "Limit": [CHECKS[each.name].words(each.warn_above) for each in checks],
        "Checked": [age_in_words((now - each.ts).total_seconds()) for each in checks],
        "Detail": [each.detail for each in checks],
    }


def past_checks(troubles: Sequence[Stretch], zone: tzinfo) -> dict[str, list[Any]]:
    """A row for each stretch with a note or a warning."""
    return {
        "Check": [CHECKS[each.name].title for each in troubles],
        "Feed": [each.feed for each in troubles],
        "State": [_STATES[each.state] for each in troubles],
        f"From, {zone}": [text.stamp(each.since, zone) for each in troubles],
        "To": [text.stamp(each.ts, zone) for each in troubles],
        "Worst": [CHECKS[each.name].words(each.worst) for each in troubles],
        "Limit": [CHECKS[each.name].words(each.warn_above) for each in troubles],
    }


def feeds(found: Mapping[str, Mapping[str, Any]], zone: tzinfo) -> dict[str, list[Any]]:
    """A row for each feed: the newest that it has, and whether that is fresh for its period."""
    return {
        "Feed": list(found),
        "State": ["Fresh" if feed["state"] == "ok" else feed["state"].capitalize() for feed in found.values()],
        f"Complete to, {zone}": [
            text.stamp(datetime.fromisoformat(feed["last"]), zone) if feed["last"] else "" for feed in found.values()
        ],
        "Age": [_age(feed) for feed in found.values()],
        "Reason": [feed.get("reason", "") for feed in found.values()],
    }


def _age(feed: Mapping[str, Any]) -> str:
    """The age of the newest that a feed has. Empty while its history is loaded: that is no age of the record."""
    return "" if feed["age_s"] is None or feed["state"] == "loading" else age_in_words(feed["age_s"])
