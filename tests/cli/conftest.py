"""Logging as the command line sets it up."""

from __future__ import annotations

import pytest

from hetero import log


@pytest.fixture(autouse=True)
def logging() -> None:
    """Warnings and worse go to standard error, in words."""
    log.configure()
