"""The health check of a container: exit code 0 if Tickwell is well, otherwise 1 and one line that says why not.

`healthcheck.py URL` asks the dashboard's /api/health. Without a URL it reads the output of
`python -m poller status --json` from stdin, for a recorder that listens nowhere. A recorder is well until its first
slot, although /api/health answers 503 then. With TICKWELL_POLL_SECONDS = 3600 that may last an hour.
"""

import json
import sys
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

_ANSWERS_WITHIN_S = 8.0

# Docker gives the proxies of ~/.docker/config.json to each container. They lead to the world, not into the container.
_DIRECTLY = build_opener(ProxyHandler({}))


def answer(url: str) -> str:
    """The body of a reply of any status; it says more than the status."""
    try:
        with _DIRECTLY.open(url, timeout=_ANSWERS_WITHIN_S) as reply:
            return str(reply.read(), "utf-8")
    except HTTPError as reply:
        return str(reply.read(), "utf-8")


def main() -> None:
    try:
        report = json.loads(answer(sys.argv[1]) if len(sys.argv) > 1 else sys.stdin.read())
        status, poller = report["status"], report["poller"]
        well = status == "ok" or poller["starting"]
        # Where readers sign in or programs send a token, a stranger gets the status without words.
        words = f"{status}: {poller['words']}" if "words" in poller else status
    except (OSError, ValueError, LookupError, TypeError) as error:
        sys.exit(f"no readable answer: {error}")
    sys.exit(0 if well else words)


if __name__ == "__main__":
    main()
