"""Directories whose paths are short enough for the sockets in them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hetero.testing import places


@pytest.fixture
def folder() -> Iterator[Path]:
    """An empty directory with a short path."""
    with places.folder() as place:
        yield place
