"""The bench of the dashboard measures one that works."""

from __future__ import annotations

import pytest

from tests.bench import serving
from tests.bench.clusters import Size


@pytest.mark.journey
def test_a_small_cluster_is_measured() -> None:
    """All of its agents are heard of, and each document takes some time; memory is that of a process."""
    found = {one.figure: one for one in serving.figures(Size(nodes=20, devices=4, pods=60), rounds=2)}
    assert found["dashboard of 20 nodes of 4, 60 pods: until it is ready"].value > 0
    memory = found["memory of its server, the most"]
    assert 20 < memory.value < serving.MOST_MIB
    assert memory.holds
    assert {f"{name}: p50" for name in serving.PAGES} <= set(found)
    assert all(found[f"{name}: p50"].value > 0 for name in serving.PAGES)
