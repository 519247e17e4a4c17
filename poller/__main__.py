"""The command line: `python -m poller` records. Other commands show the record, heal it, back it up, or simulate."""

from .commands.main import main

if __name__ == "__main__":
    main()
