"""The ledger: the slots that were due, the gaps among them, and how gaps heal."""
