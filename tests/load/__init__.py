"""A dashboard under a crowd of readers: `make load`."""
