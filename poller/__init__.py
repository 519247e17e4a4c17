"""Collects: the exchange client, the jobs, the loop that runs them on exact slots, the simulator, the command line."""
