"""What commands print: outcomes, gaps, exports and reports in words."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from poller.feeds.feed import Outcome
from store.export.files import Export
from store.health.status import age_in_words, aside_in_words
from store.models import Exchange, Gap, Snapshot, Tick

_CHECKS = {"ok": "good", "note": "to note", "warn": "bad"}


def outcome_in_words(outcome: Outcome) -> str:
    if isinstance(outcome, Snapshot):
        return f"{outcome.feed} {len(outcome.rows)} rows at {outcome.ts:%Y-%m-%d %H:%M:%S.%f} UTC ({outcome.source})"
    if isinstance(outcome, Tick):
        return f"{outcome.index_name} {outcome.price} at {outcome.ts:%Y-%m-%d %H:%M:%S.%f} UTC ({outcome.source})"
    return f"{outcome.feed}: {outcome.cause}, {outcome.detail}"


def exported_in_words(made: Export, path: Path) -> str:
    lines = [f"{path}: {made.query.rows_are} {made.rows:,}, bytes {made.size:,}, SHA-256 {made.sha256}"]
    if made.manifest["capped"]:
        lines.append("  cut off: a sheet of Excel holds no more rows. Export a shorter range, or Parquet or CSV")
    return "\n".join(lines)


def healed_in_words(healed: Sequence[Gap]) -> str:
    return gaps_in_words(healed) if healed else "nothing to heal"


def gaps_in_words(found: Sequence[Gap]) -> str:
    lines = [
        f"{gap.feed} {gap.start:%Y-%m-%d %H:%M:%S} to {gap.end:%Y-%m-%d %H:%M:%S} UTC, slots: {gap.slots}, "
        f"{gap.cause}, {gap.state}{f' by {gap.healed_by}' if gap.healed_by else ''}"
        for gap in found
    ]
    return "\n".join(lines) or "no gaps"


def report_in_words(report: dict[str, Any]) -> str:
    lines = [_recording_in_words(report), f"database {report['database']['path']}"]
    if clock := report["poller"].get("clock"):
        lines.append(clock)
    if report["database"]["error"]:
        lines.append(report["database"]["error"])
    if report["database"]["exchange"] not in (None, Exchange.REAL):
        lines.append(f"prices of {report['database']['exchange']}")
    if report["database"]["set_aside"]:
        lines.append(f"files {aside_in_words(report['database']['set_aside'])}")
    if report["lake"]:
        lines.append(report["lake"]["words"])
    lines += [
        f"{name} {index['price']}, {age_in_words(index['age_s'])}, ticks: {index['ticks']} since {index['first']}"
        for name, index in report["indexes"].items()
    ]
    lines += [_feed_in_words(name, feed) for name, feed in report["feeds"].items() if "/" in name]
    lines += [f"check {_CHECKS[check['state']]}, {check['words']}" for check in report["checks"]]
    return "\n".join(lines)


def _recording_in_words(report: dict[str, Any]) -> str:
    """The status and how the recording goes. Fresh prices are not "ok" when nothing is recorded any more."""
    words: str = report["poller"]["words"]
    return words if report["status"] == "ok" and words.startswith("not recording") else f"{report['status']}: {words}"


def _feed_in_words(name: str, feed: dict[str, Any]) -> str:
    if feed["last"] is None:
        return f"{name}, no data yet"
    if feed["state"] == "loading":
        return f"{name}, loading its history, complete to {feed['last'][:10]}"
    reason = f": {feed['reason']}" if "reason" in feed else ""
    return f"{name}, {age_in_words(feed['age_s'])}, {feed['state']}{reason}"
