"""Is Tickwell well? For a container's health check: exit code 0 if so, else 1 and one line that says why not.

`healthcheck.py URL` asks the dashboard's /api/health; without a URL it reads, from stdin, what
`python -m poller status --json` says, for a recorder that listens nowhere. A recorder whose first slot is still to come
is well, although /api/health answers 503 then: with TICKWELL_POLL_SECONDS = 3600 that may last an hour.
"""

import json
import sys
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

_ANSWERS_WITHIN_S = 8.0
_STARTS_WITHIN = timedelta(seconds=60)
"""From its start to its first slot, besides waiting for it."""


def answer(url: str) -> str:
    """The body, whatever the status is: it says more."""
    try:
        with urlopen(url, timeout=_ANSWERS_WITHIN_S) as reply:  # noqa: S310 whoever starts this names the address
            return str(reply.read(), "utf-8")
    except HTTPError as reply:
        return str(reply.read(), "utf-8")


def starting(report: dict[str, Any]) -> bool:
    """Is there a recorder whose first slot is still to come?"""
    poller = report["poller"]
    if not poller["alive"] or poller["state"] != "starting":
        return False
    age = datetime.fromisoformat(report["now"]) - datetime.fromisoformat(poller["started_at"])
    return age < timedelta(seconds=poller["poll_seconds"]) + _STARTS_WITHIN


def main() -> None:
    try:
        report = json.loads(answer(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin.read())
        words = f"{report['status']}: {report['poller']['words']}"
        well = report["status"] == "ok" or starting(report)
    except (OSError, ValueError, LookupError) as error:
        sys.exit(f"no answer that could be read: {error}")
    sys.exit(0 if well else words)


if __name__ == "__main__":
    main()
