"""Serves what is stored over HTTP, read-only. The dashboard mounts it under /api."""

from .app import create_app
from .served import Served

__all__ = ["Served", "create_app"]
