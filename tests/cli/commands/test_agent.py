"""``hetero agent`` as a command: what it needs to know, and what it says when it does not."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from hetero.agent.main import place
from hetero.agent.service import Place
from hetero.errors import InvalidValue


def test_the_node_is_named_by_the_chart_or_by_hand() -> None:
    """The command line wins; the rest is the chart's to say."""
    environment = {
        "NODE_NAME": "desk",
        "HETERO_AGENT_NAME": "acme",
        "POD_NAMESPACE": "kube-system",
        "HETERO_DAEMONSET": "hetero-agent-acme",
        "HETERO_INVENTORIES": "hetero.io/inventory hetero.io/inventory-acme",
    }
    assert place(None, environment) == Place(
        node="desk",
        agent="acme",
        namespace="kube-system",
        daemonset="hetero-agent-acme",
        inventories=("hetero.io/inventory", "hetero.io/inventory-acme"),
    )
    assert place("other", environment).node == "other"
    assert place("other", {}) == Place(node="other")


def test_an_agent_of_no_node_is_refused() -> None:
    """It would follow the pods of a node that there is not."""
    with pytest.raises(InvalidValue, match="--node: '' is missing; name the node, or set NODE_NAME"):
        place(None, {})


def test_a_library_that_is_not_installed_is_named(hetero: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the extra that brings it."""
    real = builtins.__import__

    def without(name: str, *words: Any, **named: Any) -> Any:
        if name == "hetero.agent":
            raise ModuleNotFoundError("No module named 'grpc'", name="grpc")
        return real(name, *words, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    answer = hetero("agent", "--node", "desk")
    assert answer.code == 1
    assert "the agent needs grpc: pip install 'hetero[agent]'" in answer.err


def test_a_cluster_that_cannot_be_reached_is_named(hetero: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """No kubeconfig and no pod: one sentence, before anything is started."""
    answer = hetero("agent", "--node", "desk", "--kubeconfig", str(tmp_path / "none"))
    assert answer.code == 2
    assert "is no file; name a kubeconfig, or set KUBECONFIG" in answer.err
