import logging

import pytest

from poller.logs import configure_logging
from tests.conftest import LIBRARIES


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR"])
def test_our_log_starts_at_the_level_that_is_set(level):
    configure_logging(level)

    assert logging.getLogger("tickwell.recorder").getEffectiveLevel() == logging.getLevelName(level)


def test_libraries_only_log_their_errors():
    configure_logging("DEBUG")

    levels = {logging.getLogger(name).getEffectiveLevel() for name in LIBRARIES}
    assert levels == {logging.ERROR}
