"""A time that stands still, and an API server in memory."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hetero import log
from hetero.kube.client import Api
from hetero.testing.apiserver import ApiServer

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def logged() -> None:
    """Lines go to standard error, as in a process."""
    log.configure("debug")


@pytest.fixture
def now() -> datetime:
    """A Sunday."""
    return NOW


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server with nothing in it."""
    made = ApiServer()
    made.start()
    yield made
    made.stop()


@pytest.fixture
def api(server: ApiServer) -> Iterator[Api]:
    """A client of it."""
    made = server.api()
    yield made
    made.close()
