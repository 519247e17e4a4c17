"""The command line: `python -m poller` records. Other commands show the record, heal it, back it up, or simulate."""

import sys

try:
    from .commands.main import main
except ModuleNotFoundError as error:
    sys.exit(
        f"Error: {sys.executable} has no module {error.name}: run .venv/bin/python -m poller, or install what "
        "requirements.txt names"
    )

if __name__ == "__main__":
    main()
