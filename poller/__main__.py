"""The command line: `python -m poller` records; its other commands look, try once, heal, back up, or simulate."""

from .commands.main import main

if __name__ == "__main__":
    main()
