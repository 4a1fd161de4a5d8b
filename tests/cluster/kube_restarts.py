"""All that can be killed is: agent, kubelet, containerd, container, node. Who runs afterwards has his own limits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from typing import Any

import pytest

from tests.cluster.node.client import Json, Refused, state_of
from tests.cluster.node.cluster import Cluster
from tests.cluster.release import NAMESPACE, Release, container, gpu, limits_of, pod

NODE = "nvidia"
ASKED = {"one": 1100, "two": 1200, "three": 1300}
"""Pod to MiB."""


@pytest.fixture
def running(slices: Release) -> Release:
    """Pods in slices, all on one node."""
    slices.cluster.apply([pod(name, container(ask=gpu(memory, 20))) for name, memory in ASKED.items()])
    for name in ASKED:
        slices.cluster.wait(name)
    return slices


def restarts(found: Json) -> int:
    """Of a pod's only container."""
    return sum(int(one["restartCount"]) for one in found["status"].get("containerStatuses", []))


def until_restarted(cluster: Cluster, name: str, before: int, seconds: float = 150) -> None:
    """Wait until a pod's container was started once more, and runs."""

    def look() -> tuple[Json, bool]:
        found = cluster.pod(name)
        return found, restarts(found) > before and state_of(found) == "Ready"

    cluster.until(look, f"{name} is started again", seconds, lambda: cluster.describe(name))


def check(cluster: Cluster) -> None:
    """Each container has its own limits; there is a CDI device and a slice for each, and for nobody else."""
    for name, memory in ASKED.items():
        assert limits_of(cluster, name).memory == [memory], name
    nothing_is_leaked(cluster, len(ASKED))
    devices = [device for name in ASKED for device in limits_of(cluster, name).devices]
    assert sum(memory for _, memory, _ in devices) == sum(ASKED.values())
    for identity in {one[0] for one in devices}:
        assert sum(cores for uuid, _, cores in devices if uuid == identity) <= 100


def nothing_is_leaked(cluster: Cluster, containers: int) -> None:
    """As many CDI specs and slices on the node as containers have devices."""
    root = cluster.nodes[NODE].root

    def left() -> tuple[Any, bool]:
        specs = [one.name for one in (root / "run/cdi").glob("hetero.io-slice-*")]
        slices = [one.name for one in (root / "run/hetero/slices").glob("*")]
        return (specs, slices), len(specs) == len(slices) == containers

    seen: list[Any] = []
    cluster.until(
        lambda: (seen.append(left()[0]) or {}, left()[1]), f"{containers} containers have files", 90,
        lambda: f"seen: {seen[-1]}",
    )  # fmt: skip


def kill_agent(slices: Release) -> None:
    """End the agent's process at whatever instruction it is."""
    name = slices.agent(NODE)["metadata"]["name"]
    slices.cluster.kill_container(name, "agent", NAMESPACE)


def kill(slices: Release, name: str) -> None:
    """End a pod's program."""
    slices.cluster.kill_container(name, "main")


def test_a_killed_container_comes_back_into_its_slice(running: Release) -> None:
    """The kubelet asks once more before it starts it."""
    kill(running, "two")
    until_restarted(running.cluster, "two", 0)
    check(running.cluster)


def test_a_killed_agent_changes_nothing_for_those_that_run(running: Release) -> None:
    """And whoever dies while it is away comes back when it is."""
    kill_agent(running)
    kill(running, "one")
    until_restarted(running.cluster, "one", 0)
    check(running.cluster)


def test_an_agent_that_dies_again_and_again_while_pods_start(slices: Release) -> None:
    """At whatever step of an allocation it is: each of them runs in its own slice, or is told that it never will.

    Those that were told are made again, as a controller would; in the end all of them run.
    """
    cluster = slices.cluster
    wanted = {f"during-{n}": 1000 + n for n in range(12)}
    made = {name: pod(name, container(ask=gpu(memory, 10))) for name, memory in wanted.items()}
    cluster.apply(list(made.values()))
    for _ in range(3):  # the kubelet waits longer each time before it starts it again
        # Between two lives it cannot be killed; whether it comes back is looked at below.
        with contextlib.suppress(AssertionError, Refused, StopIteration, ValueError):
            kill_agent(slices)
        cluster.until(lambda: ({}, _agent_runs(slices)), "the agent runs again", 120, slices.tails)
    for name in started(cluster, wanted):
        told(cluster, name)
        cluster.kubectl("delete", "pod", name, "--grace-period=1")
        cluster.apply(made[name])
    for name, memory in wanted.items():
        cluster.wait(name, seconds=180)
        assert limits_of(cluster, name).memory == [memory]
    assert len({limits_of(cluster, name).slice_id for name in wanted}) == len(wanted)
    nothing_is_leaked(cluster, len(wanted))


def _agent_runs(slices: Release) -> bool:
    found = slices.agent(NODE)["status"].get("containerStatuses", [])
    return any("running" in one["state"] for one in found)


def _restart_kubelet(slices: Release) -> None:
    slices.cluster.nodes[NODE].restart_kubelet()


def _restart_containerd(slices: Release) -> None:
    slices.cluster.nodes[NODE].restart_containerd()


@pytest.mark.parametrize("happens", [_restart_kubelet, _restart_containerd])
def test_what_runs_goes_on_and_what_starts_has_its_limits(running: Release, happens: Callable[[Release], None]) -> None:
    """Whatever of the node's own programs is started anew."""
    cluster = running.cluster
    before = {name: cluster.pod(name)["status"]["containerStatuses"][0]["containerID"] for name in ASKED}
    happens(running)
    kill(running, "three")
    until_restarted(cluster, "three", 0)
    running.until_ready()
    check(cluster)
    now = {name: cluster.pod(name)["status"]["containerStatuses"][0]["containerID"] for name in ASKED}
    assert {name for name in ASKED if now[name] != before[name]} == {"three"}
    cluster.apply(pod("later", container(ask=gpu(1400))))
    cluster.wait("later")
    assert limits_of(cluster, "later").memory == [1400]


def started(cluster: Cluster, names: Collection[str], times: int = 0) -> set[str]:
    """Wait until each of these pods runs, started again so often, or has failed for good; those that have failed."""

    def look() -> tuple[Json, bool]:
        pods = [cluster.pod(name) for name in names]
        runs = [state_of(one) == "Ready" and restarts(one) >= times for one in pods]
        return {"pods": pods}, all(well or failed(one) for one, well in zip(pods, runs, strict=True))

    found = cluster.until(
        look, f"{', '.join(names)} run or have failed", 180,
        lambda: "\n".join(cluster.describe(name) for name in names),
    )["pods"]  # fmt: skip
    return {one["metadata"]["name"] for one in found if failed(one)}


def failed(found: Json) -> bool:
    """True when nothing of a pod runs, or ever will."""
    return bool(found["status"]["phase"] == "Failed")


def told(cluster: Cluster, name: str) -> None:
    """A pod that the kubelet failed has an event from the agent that says why, and what to do."""
    assert cluster.pod(name)["status"]["reason"] == "UnexpectedAdmissionError"
    cluster.until(
        lambda: ({}, "the kubelet failed this pod for good" in cluster.describe(name)), f"{name} is told why", 60,
        lambda: cluster.describe(name),
    )  # fmt: skip


def test_who_dies_while_nobody_is_there_comes_back_or_is_told_why(running: Release) -> None:
    """A kubelet that starts before the agent fails the pod of a dead container for good; the others go on."""
    cluster, node = running.cluster, running.cluster.nodes[NODE]
    agent = running.agent(NODE)
    node.kill_kubelet()
    kill_agent(running)
    kill(running, "three")
    node.kill_containerd()
    node.start_containerd()
    node.start_kubelet()
    lost = started(cluster, ["three"], times=1)
    for name in lost:
        told(cluster, name)
    cluster.until(
        lambda: (found := running.agent(NODE), state_of(found) == "Ready" and restarts(found) > restarts(agent)),
        "the agent is back", 120, running.tails,
    )  # fmt: skip
    assert limits_of(cluster, "one").memory == [ASKED["one"]]
    assert limits_of(cluster, "two").memory == [ASKED["two"]]
    if not lost:
        assert limits_of(cluster, "three").memory == [ASKED["three"]]
    nothing_is_leaked(cluster, len(ASKED) - len(lost))
    cluster.apply(pod("later", container(ask=gpu(1400))))
    cluster.wait("later")
    assert limits_of(cluster, "later").memory == [1400]


def test_after_a_reboot_everybody_has_his_slice_or_is_told_why_not(running: Release) -> None:
    """All of the node at once, /run emptied: the kubelet looks for devices before the agent can run."""
    cluster = running.cluster
    cluster.nodes[NODE].reboot()
    lost = started(cluster, ASKED, times=1)
    for name in lost:
        told(cluster, name)
    for name in {*ASKED} - lost:
        assert limits_of(cluster, name).memory == [ASKED[name]]
    nothing_is_leaked(cluster, len(ASKED) - len(lost))
    running.until_ready()
    running.until_admits()
    cluster.apply([pod(f"anew-{n}", container(ask=gpu(1500 + n))) for n in range(3)])
    for n in range(3):
        cluster.wait(f"anew-{n}")
        assert limits_of(cluster, f"anew-{n}").memory == [1500 + n]


def test_an_agent_whose_folder_was_removed_is_started_anew(running: Release) -> None:
    """What is mounted in it is dead; pods wait for the next container of its pod, which has a folder again."""
    cluster = running.cluster
    agent = running.agent(NODE)
    cluster.nodes[NODE].exec("rm", "-rf", "/run/cdi")
    cluster.apply(pod("later", container(ask=gpu(1400))))
    cluster.wait("later", seconds=180)
    assert limits_of(cluster, "later").memory == [1400]
    assert restarts(running.agent(NODE)) == restarts(agent) + 1
    for name, memory in ASKED.items():
        assert limits_of(cluster, name).memory == [memory], name


def test_pods_that_go_leave_nothing(running: Release) -> None:
    """Their CDI specs and slices are removed, and the room is given to others."""
    cluster = running.cluster
    cluster.kubectl("delete", "pods", *ASKED, "--grace-period=1")
    nothing_is_leaked(cluster, 0)


def test_a_pod_that_somebody_else_bound_does_not_start(slices: Release) -> None:
    """It went round the webhook, so it has no placement: its events say that, and what to do."""
    cluster = slices.cluster
    stray = pod("stray", container(ask={"nvidia.com/gpu": 1}))
    stray["metadata"]["labels"] = {"hetero.io/webhook": "ignore"}
    cluster.apply(stray)
    cluster.until(
        lambda: ({}, "has no placement" in cluster.describe("stray").partition("Events:")[2]), "an event says why", 90,
        lambda: cluster.describe("stray"),
    )  # fmt: skip
    assert state_of(cluster.pod("stray")) == "Pending"
