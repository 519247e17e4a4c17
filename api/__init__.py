"""Serves what is stored over HTTP, read-only. The dashboard mounts it under /api."""

from .app import Served, create_app

__all__ = ["Served", "create_app"]
