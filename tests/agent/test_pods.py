"""The pods of a node, as an informer tells of them."""

from __future__ import annotations

from typing import Any

import msgspec

from hetero.agent.pods import Pod, Pods


def _pod(uid: str, **status: Any) -> Pod:
    metadata = {"name": f"pod-{uid}", "namespace": "lab", "uid": uid}
    return msgspec.convert({"metadata": metadata, "status": status}, Pod)


def test_pods_that_are_over_hold_nothing() -> None:
    """They are still known, so that who asks can say what became of them."""
    pods = Pods()
    pods.replace([_pod("a", phase="Running"), _pod("b", phase="Failed"), _pod("c", phase="Succeeded")])
    assert pods.live() == {"a"}
    assert pods.get("b") == _pod("b", phase="Failed")


def test_what_a_list_lacks_is_gone() -> None:
    """A pod that vanished while nobody watched."""
    pods = Pods()
    pods.replace([_pod("a"), _pod("b")])
    pods.replace([_pod("b")])
    assert (pods.get("a"), pods.live()) == (None, {"b"})


def test_whoever_waits_for_room_hears_of_pods_that_go() -> None:
    """Once for each: when it is over, or when it is removed; not at every change of one that is over."""
    heard: list[str] = []
    pods = Pods(lambda pod: heard.append(pod.metadata.uid), lambda: heard.append("gone"))
    pods.put(_pod("a"))
    pods.put(_pod("a", phase="Failed"))
    pods.put(_pod("a", phase="Failed", message="again"))
    pods.remove(_pod("a"))
    assert heard == ["a", "a", "gone", "a", "gone"]


def test_a_list_beside_the_informer_adds_and_never_replaces() -> None:
    """What the informer knows of a pod is newer, or the same."""
    pods = Pods()
    pods.put(_pod("a", phase="Failed"))
    pods.learn([_pod("a", phase="Running"), _pod("b")])
    assert pods.live() == {"b"}


def test_a_list_that_is_older_than_its_answer_brings_no_pod_back() -> None:
    """Nobody would tell that it is gone a second time, and what it had would stay for ever."""
    pods = Pods()
    pods.put(_pod("a", phase="Running"))
    pods.replace([_pod("b"), _pod("c")])
    pods.remove(_pod("b"))
    pods.learn([_pod("a", phase="Running"), _pod("b"), _pod("c"), _pod("d")])
    assert (pods.get("a"), pods.get("b")) == (None, None)
    assert pods.live() == {"c", "d"}


def test_a_pod_whose_end_was_seen_is_over_even_if_its_going_was_not() -> None:
    """It went while the watch was interrupted."""
    pods = Pods()
    pods.replace([_pod("a", phase="Succeeded"), _pod("b", phase="Running")])
    pods.replace([])
    assert pods.over("a")
    assert not pods.over("b")


def test_a_pod_is_found_by_its_name() -> None:
    """The agent looks for its own, of which it knows no more."""
    pods = Pods()
    pods.put(_pod("a"))
    assert pods.find("lab", "pod-a") == _pod("a")
    assert pods.find("other", "pod-a") is None


def test_init_containers_that_ended_well_are_told() -> None:
    """One that failed is started again, and one that runs is not over."""
    statuses = [
        {"name": "done", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
        {"name": "failed", "state": {"terminated": {"exitCode": 1}}},
        {"name": "running", "state": {"running": {"startedAt": "2026-11-29T06:00:00Z"}}},
        {"name": "unknown"},
    ]
    assert _pod("a", initContainerStatuses=statuses).ended == {"done"}
    assert _pod("a").ended == frozenset()


def test_a_sidecar_that_ended_well_is_not_over() -> None:
    """It is started again at once, and may run while the API still says that it ended."""
    pod = {
        "metadata": {"name": "a", "namespace": "lab", "uid": "a"},
        "spec": {"initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "fetch"}]},
        "status": {
            "initContainerStatuses": [
                {"name": name, "state": {"terminated": {"exitCode": 0}}} for name in ("proxy", "fetch")
            ]
        },
    }
    assert msgspec.convert(pod, Pod).ended == {"fetch"}


def test_a_pod_of_the_api_is_read_with_its_owner() -> None:
    """The agent finds its DaemonSet by it; what else an object has is skipped."""
    metadata = {
        "name": "agent-x",
        "uid": "a",
        "managedFields": [{"manager": "x"}],
        "ownerReferences": [{"kind": "DaemonSet", "name": "hetero-agent", "controller": True, "uid": "d"}],
    }
    [owner] = msgspec.convert({"metadata": metadata}, Pod).metadata.owner_references or ()
    assert (owner.kind, owner.name, owner.controller) == ("DaemonSet", "hetero-agent", True)
