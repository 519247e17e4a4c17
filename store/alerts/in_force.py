"""The rules that the recorder uses, kept beside the events: pages show these rules, since the file may have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from store.alerts.rules.kinds import AnyRule
from store.alerts.rules.rule_file import as_text, from_text
from store.models import from_column, to_column

_NEWEST = """
SELECT noted_at, rules, fault
FROM alert_rules
ORDER BY rowid DESC
LIMIT 1
"""

_INSERT = """
INSERT INTO alert_rules (noted_at, rules, fault)
VALUES ($noted_at, $rules, $fault)
"""


@dataclass(frozen=True)
class InForce:
    """The rules in force.

    Attributes:
        rules: the rules that can be used.
        since: when they came into force.
        fault: what is wrong with the file, if it was changed to something that can't be used.
        left_out: a line for each mistake in rules that another version accepted and this version does not.
    """

    rules: tuple[AnyRule, ...]
    since: datetime
    fault: str = ""
    left_out: tuple[str, ...] = ()


def rules_in_force(cursor: DuckDBPyConnection) -> InForce | None:
    """The rules of the running or last recorder; None before any recorder had rules."""
    found = cursor.execute(_NEWEST).fetchone()
    if found is None:
        return None
    noted_at, text, fault = found
    rules, left_out = from_text(text)
    return InForce(tuple(rules), from_column(noted_at), fault, tuple(left_out))


def put_in_force(cursor: DuckDBPyConnection, rules: Sequence[AnyRule], fault: str, now: datetime) -> datetime:
    """Note rules, unless the last ones were the same. Call it inside `Database.write`.

    Returns:
        The time since which they are in force.
    """
    found = cursor.execute(_NEWEST).fetchone()
    if found is not None and found[1:] == (as_text(rules), fault):
        return from_column(found[0])
    if found is None and not rules and not fault:
        return now
    cursor.execute(_INSERT, {"noted_at": to_column(now), "rules": as_text(rules), "fault": fault})
    return now
