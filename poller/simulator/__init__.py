"""A make-believe Deribit: the methods that Tickwell calls, with reproducible prices and faults on demand."""
