"""The log of a process."""

import logging


def configure_logging(level: str) -> None:
    """Log to stderr from `level` on. Libraries log only errors, because the recorder logs what these lead to."""
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S%z")
    logging.getLogger("tickwell").setLevel(level)
    for library in ("httpx", "httpcore", "stamina", "schedule", "asyncio", "urllib3", "requests"):
        logging.getLogger(library).setLevel(logging.ERROR)
