"""The tests of those who read a lake share its servers."""

from tests.support.lakes import endpoint, file, lake, lake_extensions, place, server

__all__ = ["endpoint", "file", "lake", "lake_extensions", "place", "server"]
