"""What Tickwell costs, measured in one run: `make bench`."""
