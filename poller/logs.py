"""Where the log goes."""

import logging


def configure_logging(level: str) -> None:
    """Log to stderr from `level` on; of the libraries only their errors, since the recorder says what they lead to."""
    logging.basicConfig(level="WARNING", format="%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%d %H:%M:%S%z")
    logging.getLogger("tickwell").setLevel(level)
    for library in ("httpx", "httpcore", "stamina", "schedule", "asyncio", "urllib3", "requests"):
        logging.getLogger(library).setLevel(logging.ERROR)
