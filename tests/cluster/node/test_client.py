"""The person at the command line: what commands answer, and what is told when something does not come about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.node.client import Client, Refused, phases, state_of
from tests.cluster.processes import GaveUp

KUBECTL = """#!/bin/sh
# Writes down what it is asked, and answers what lies beside it.
echo "$*" >> "$0.asked"
cat > "$0.given" < /dev/stdin
case "$*" in
describe*) echo "why it is so"; exit ;;
*--filename*refused*) echo "the object is wrong" >&2; exit 1 ;;
esac
cat "$0.answer"
"""


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """One whose kubectl is a stand-in."""
    (tmp_path / "kubectl").write_text(KUBECTL)
    (tmp_path / "kubectl").chmod(0o755)
    (tmp_path / "kubectl.answer").touch()
    return Client(tmp_path, tmp_path / "kubeconfig", tmp_path)


def _answer(directory: Path, document: Any) -> None:
    (directory / "kubectl.answer").write_text(json.dumps(document))


def _pod(phase: str, ready: str = "False") -> dict[str, Any]:
    return {"status": {"phase": phase, "conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(
    ("pod", "state", "phase"),
    [
        ({}, "Gone", set()),
        (_pod("Running", "True"), "Ready", {"Running"}),
        (_pod("Running"), "Running", {"Running"}),
        (_pod("Failed"), "Failed", {"Failed"}),
        ({"status": {"phase": "Pending"}}, "Pending", {"Pending"}),
    ],
)
def test_a_pod_is_in_one_state(pod: dict[str, Any], state: str, phase: set[str]) -> None:
    """Ready is more than Running, and what is not there is gone."""
    assert state_of(pod) == state
    assert phases(pod) == phase


def test_a_pod_that_is_waited_for_is_returned(client: Client, tmp_path: Path) -> None:
    """As it was when the state was reached."""
    _answer(tmp_path, _pod("Running", "True"))
    assert client.wait("one") == _pod("Running", "True")
    assert client.wait("one", "Running") == _pod("Running", "True")
    (tmp_path / "kubectl.answer").write_text("")
    assert client.wait("one", "Gone") == {}


def test_what_does_not_come_about_is_explained(client: Client, tmp_path: Path) -> None:
    """By what Kubernetes says of the pod: nobody has to look it up after the cluster is gone."""
    _answer(tmp_path, _pod("Pending"))
    with pytest.raises(GaveUp, match=r"pod one is Ready: not within 0 s(.|\n)*why it is so"):
        client.wait("one", seconds=0)


def test_objects_are_applied_as_they_are_given(client: Client, tmp_path: Path) -> None:
    """One, several, or those of a file."""
    client.apply({"kind": "Pod"})
    assert json.loads((tmp_path / "kubectl.given").read_text())["items"] == [{"kind": "Pod"}]
    client.apply([{"kind": "Pod"}, {"kind": "Service"}], namespace="other")
    assert [one["kind"] for one in json.loads((tmp_path / "kubectl.given").read_text())["items"]] == ["Pod", "Service"]
    client.apply(Path("some/pod.yaml"))
    asked = (tmp_path / "kubectl.asked").read_text().splitlines()
    assert asked[1] == "apply --namespace other --filename -"
    assert asked[2] == "apply --namespace default --filename some/pod.yaml"


def test_a_command_that_fails_says_what_it_said(client: Client) -> None:
    """With its words, so that a test can ask for the sentence that a user reads."""
    with pytest.raises(Refused, match="the object is wrong"):
        client.apply(Path("refused.yaml"))
