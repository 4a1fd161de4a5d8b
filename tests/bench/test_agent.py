"""What the agent's figures are measured with, in small."""

from __future__ import annotations

import pytest

from hetero.testing import places
from hetero.testing.apiserver import ApiServer
from tests.bench import agent


def test_containers_are_started_and_the_agent_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every figure comes from a real process, and those that are promised say so."""
    monkeypatch.setattr(agent, "PODS", 4)
    monkeypatch.setattr(agent, "BURST", 3)
    monkeypatch.setattr(agent, "SCRAPES", 1)
    with places.folder() as directory, ApiServer() as server:
        node = agent.Node(directory, server)
        with node.kubelet, agent.running(node):
            node.learn()
            found = {one.figure: one for one in agent.run(node, bursts=1, quiet=0.1)}
            assert len(node.kubelet.held()) == 4
    promised = [one for one in found.values() if one.reach]
    assert len(promised) == 5
    assert found["memory after the start"].value > 10
    assert all(one.value > 0 for name, one in found.items() if name.startswith("PreStartContainer"))
