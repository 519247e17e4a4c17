"""Serves what is stored over HTTP, read-only. The dashboard mounts it under /api."""
