"""The commands of a lake need its servers, as the tests of the store do."""

from tests.support.lakes import endpoint, file, lake, lake_extensions, place, server

__all__ = ["endpoint", "file", "lake", "lake_extensions", "place", "server"]
