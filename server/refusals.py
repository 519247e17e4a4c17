"""The log's lines about requests that were refused: the operator reads there what to set."""

import logging

log = logging.getLogger("tickwell.server")

_MOST_LINES = 100


class Refusals:
    """Logs each different refusal once, and no more than a hundred: anyone can send requests that are refused."""

    def __init__(self) -> None:
        self._logged: set[str] = set()

    def log(self, line: str) -> None:
        """Log this line, unless it was logged before."""
        if line not in self._logged and len(self._logged) < _MOST_LINES:
            self._logged.add(line)
            log.warning(line)
