"""The agent's process looks for garbage soon enough, whatever it has imported."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from hetero.agent import main


@pytest.fixture
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("_thawed")
def test_garbage_does_not_wait_for_a_quarter_of_all_modules() -> None:
    """After the start whole collections come as soon as they are due, however much was imported."""
    gc.disable()
    kept: list[list[int]] = [[] for _ in range(800_000)]  # as if by imports
    gc.enable()
    main._settle()
    assert gc.get_freeze_count() >= len(kept)
    before = gc.get_stats()[2]["collections"]
    first, second, third = gc.get_threshold()
    kept += [[] for _ in range(2 * first * second * third)]
    assert gc.get_stats()[2]["collections"] > before
