"""What it costs to see it all: metrics, and the dashboard. One file for each part, put together here."""

from __future__ import annotations

from tests.bench import painting, scraping, serving
from tests.bench.figures import Figure


def measure() -> list[Figure]:
    """All of it."""
    return [*scraping.figures(), *serving.figures(), *painting.figures()]
