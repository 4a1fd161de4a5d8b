"""Directories whose paths are short enough for the sockets in them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty directory with a short path."""
    with tempfile.TemporaryDirectory(prefix="het") as place:
        yield Path(place)
