"""What the wait for a slice is measured with, in small."""

from __future__ import annotations

import pytest

from hetero.testing import places
from tests.bench import prestart
from tests.bench.prestart import Waited, figures, run


def test_figures_are_of_all_containers() -> None:
    """What is promised is a quantile of them."""
    found = {one.figure: one for one in figures(Waited([float(one) for one in range(1, 101)], [1.0], [501.0]))}
    single = found["PreStartContainer one at a time, 100 pods on the node: p99"]
    assert (single.value, single.reach, single.holds) == (99.0, "<= 100", True)
    burst = found["PreStartContainer 20 at a time, 100 pods on the node: p99"]
    assert (burst.value, burst.holds) == (501.0, False)


def test_the_node_stays_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """For each pod that comes one goes, with its file; every start is timed, and waits for the runtime."""
    monkeypatch.setattr(prestart, "PODS", 6)
    monkeypatch.setattr(prestart, "BURST", 3)
    with places.folder() as directory, prestart._node(directory) as node:
        waited = run(node, singles=2, bursts=2)
        assert [len(one) for one in (waited.singles, waited.restarts, waited.bursts)] == [2, 2, 6]
        assert min(waited.singles + waited.bursts) > 0
        assert len(node.kubelet.held()) == len(node.folder.devices()) == 6
