"""Collects: the exchange client, what is recorded, history, alerts, the recorder, the simulator, the command line."""

import sys

# httpx loads its own command line if it can, and with it rich, which is there for Streamlit: 4 MB of a recorder's
# memory and 0.1 s of each command.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # Python's way to say that there is none
