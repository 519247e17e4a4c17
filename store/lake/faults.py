"""The faults of a lake in one line each, without its secrets."""

import re
from collections.abc import Sequence

# Another transaction took the number of the snapshot, or changed the same table. Other failures of a commit, such as a
# missing right, also exceed "the maximum retry count".
_CONFLICT = re.compile("duplicate key value|[Tt]ransaction conflict|could not serialize access")

# What DuckDB, DuckLake and PostgreSQL say, and what to do about it.
_KNOWN = (
    (
        re.compile("password authentication failed|no password supplied"),
        "PostgreSQL refuses the user or the password: correct TICKWELL_LAKE",
    ),
    (
        re.compile("creating a new DuckLake is explicitly disabled"),
        "there is no lake yet: python -m poller lake create s3://bucket/folder",
    ),
    (
        re.compile("catalog version is (?P<found>[^,]+), but .* version (?P<needed>[0-9.]*[0-9])"),
        "its catalog has version {found}, and this DuckDB has {needed}: install the DuckDB of the other machines",
    ),
    (
        re.compile('does not match existing data path in the catalog "(?P<path>[^"]+)"'),
        "its files are in {path} already; another place needs another database",
    ),
    (re.compile("NoSuchBucket"), "its bucket does not exist"),
    (
        re.compile("RequestTimeTooSkewed"),
        "its bucket refuses the clock of this machine, which is too far from its own: set the clock right",
    ),
    (
        re.compile("AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|HTTP (code )?403|permission denied"),
        "access is refused: check the keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and the rights of the user",
    ),
)

# DuckLake repeats all statements of a transaction that failed.
_STATEMENTS = re.compile('Failed to execute query ".*":', re.DOTALL)
_WHERE_IN_CODE = re.compile(r"Stack Trace:|\nLINE \d+:")
_CONNECTING = re.compile("Unable to connect to Postgres at .*? failed: ", re.DOTALL)


def is_conflict(error: Exception) -> bool:
    """Did somebody else commit since the transaction began?"""
    return _CONFLICT.search(str(error)) is not None


def in_one_line(where: str, error: Exception, secrets: Sequence[str]) -> str:
    """An error as one line that names the lake, and has none of the secrets."""
    text = str(error)
    for pattern, line in _KNOWN:
        if (found := pattern.search(text)) is not None:
            return f"{where}: {line.format(**found.groupdict())}"
    words = _WHERE_IN_CODE.split(_STATEMENTS.sub("", text))[0]
    if (connecting := _CONNECTING.search(words)) is not None:
        words = words[connecting.end() :]
    for secret in secrets:
        words = words.replace(secret, "…")
    return f"{where}: {' '.join(words.split())}"
