"""A simulated Deribit: the methods that Tickwell calls, with reproducible prices and faults on demand."""
