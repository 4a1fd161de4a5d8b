"""For all tests of the repository, those of the vendors too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

# A test asserts no time: on a busy machine an example takes as long as it takes.
settings.register_profile("hetero", deadline=None)
settings.load_profile("hetero")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Whatever a test has configured ends with it: another one in the same process may look at lines of any level."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
