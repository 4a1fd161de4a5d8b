"""Logging as the command line sets it up, and as it was before when a test is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from hetero import log


@pytest.fixture(autouse=True)
def logging() -> Iterator[None]:
    """Warnings and worse go to standard error, in words."""
    before = structlog.get_config()
    log.configure()
    yield
    structlog.configure(**before)
