"""For all tests of the repository, those of the vendors too."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

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


@pytest.fixture(autouse=True)
def no_queue_stays() -> Iterator[None]:
    """What a test opened of inotify(7) it closes: a user of the machine has 128 in all, so that others fail for it."""
    before = _queues()
    yield
    if _queues() > before:
        gc.collect()  # one that nobody has any more is closed when it is collected
    if _queues() > before:
        pytest.fail("this test has left inotify queues open")


def _queues() -> int:
    return sum(_name(number) == "anon_inode:inotify" for number in Path("/proc/self/fd").iterdir())


def _name(number: Path) -> str:
    try:
        return str(number.readlink())
    except OSError:  # closed meanwhile
        return ""
