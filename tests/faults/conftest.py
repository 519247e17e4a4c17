"""These tests start whole programs and leave coverage to others."""

from collections.abc import Iterator

import pytest

from tests.unmeasured import unmeasured


@pytest.fixture(autouse=True, scope="package")
def _unmeasured() -> Iterator[None]:
    with unmeasured():
        yield
