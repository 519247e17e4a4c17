"""Collects prices: the exchange client, feeds, history, alerts, the recorder, the simulator and the command line."""

import sys

# httpx loads its own command line if it can, and rich with it, which Streamlit installed. That would cost 4 MB of a
# recorder's memory and 0.1 s of each command.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None means "no such module" to Python
