"""The whole agent over real sockets: an API server, a kubelet and a runtime, all of them in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from desk import DAEMONSETS, RESOURCE, Desk

from hetero import metrics
from hetero.agent import usage
from hetero.errors import KubeletError
from hetero.kube import paths
from hetero.model import device as model
from hetero.model import wire
from hetero.model.placement import ContainerPlacement
from hetero.testing import places
from hetero.testing.apiserver import ApiServer

NOW = b'{"gracePeriodSeconds": 0}'
"""How a kubelet deletes a pod whose containers are gone, and who does not wait for it."""


@pytest.fixture
def desk() -> Iterator[Desk]:
    """A node whose kubelet and runtime are up, and no agent yet."""
    with places.folder() as place, ApiServer() as server:
        made = Desk(place, server)
        with made.kubelet, made.runtime:
            yield made
            made.close()


def _pod(desk: Desk, scene: Any, uid: str = "7f1c", **more: Any) -> None:
    """A pod of its own name, placed on the node."""
    placed = scene.placement(uid=uid, pod=f"pod-{uid}", **more.pop("placed", {}))
    made = scene.manifest(placed, **more)
    made["metadata"] |= {"name": f"pod-{uid}", "uid": uid}
    desk.server.put(paths.pods("lab"), made)


def test_a_node_shows_its_devices_and_its_kubelet_counts_them(desk: Desk) -> None:
    """Annotation, totals, slots; and then not one request more."""
    desk.ready(desk.start())
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)
    desk.wait(lambda: "hetero.io/inventory" in desk.node["metadata"].get("annotations", {}))
    desk.wait(lambda: "fake.example/npumem" in desk.node["status"]["capacity"])
    text = desk.node["metadata"]["annotations"]["hetero.io/inventory"]
    assert [device.uuid for device in wire.decode(text, model.Node).devices] == ["fake-0", "fake-1"]
    assert len(desk.server.calls("PATCH", "/nodes")) == 2


def _series(text: str) -> set[str]:
    """The series of devices and slices in an exposition; labels and name."""
    return {line.rpartition(" ")[0] for line in text.splitlines() if line.startswith(("hetero_slice", "hetero_device"))}


def test_a_restart_of_the_agent_leaves_no_gap_in_the_metrics(
    desk: Desk, scene: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next agent tells the same series from its first words on, and counters go on; then they end with the pod."""
    monkeypatch.setattr(usage, "FRESH", 0.0)
    first = desk.start()
    _pod(desk, scene)
    desk.ready(first)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    desk.wait(lambda: 'hetero_slice_launches_total{node="desk",namespace="lab",pod="pod-7f1c"' in first.exposed())
    desk.wait(lambda: "hetero_slice_compute_used_ratio{" in first.exposed())
    before = _series(first.exposed())
    assert metrics.slices.value("fake") == 1
    first.stop()
    second = desk.start()
    desk.wait(lambda: _series(second.exposed()) == before)
    assert 'hetero_sample_age_seconds{node="desk",vendor="fake"}' in second.exposed()
    desk.kubelet.forget(scene.uid)
    desk.api.delete(paths.pod("lab", f"pod-{scene.uid}"), NOW)
    desk.wait(lambda: not any(one.startswith("hetero_slice") for one in _series(second.exposed())))
    second.measure()  # what was exposed may have been read a moment after what was counted
    assert metrics.slices.value("fake") == 0


def test_a_container_gets_what_its_pod_was_given(desk: Desk, scene: Any) -> None:
    """From the kubelet's Allocate, which knows nothing, to what the runtime injects."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    assert sorted(desk.run(held)) == ["FAKE_DEVICES=fake-0", "FAKE_MEMORY=1024"]
    [record] = desk.slices()
    assert (desk.place / "run/slices" / record / "limits").read_text().count("memory_0 = 1073741824") == 1


def test_a_container_that_makes_its_region_grow_takes_nothing_of_the_node(desk: Desk, scene: Any) -> None:
    """It is cut, and the pod's owner is told in an event."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    region = desk.place / "run/slices" / desk.slices()[0] / "region"
    length = region.stat().st_size
    os.truncate(region, 10 * length)
    desk.wait(lambda: len(desk.events("RegionCut")) == 1)
    assert region.stat().st_size == length
    assert "container main has made its file /run/hetero/region grow" in desk.events("RegionCut")[0]


def test_a_pod_that_the_informer_has_not_shown_is_looked_for(desk: Desk, scene: Any) -> None:
    """The kubelet may hear of a pod first; one list for all who wait."""
    desk.ready(desk.start())
    desk.server.drop_watches()
    _pod(desk, scene)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    assert "FAKE_DEVICES=fake-0" in desk.run(held)


def test_a_pod_without_a_placement_is_refused_until_it_has_one(desk: Desk, scene: Any) -> None:
    """The kubelet and the pod's events have the sentence, once; a pod that is put right starts."""
    desk.ready(desk.start())
    made = scene.manifest(schedulerName="default-scheduler")
    desk.server.put(paths.pods("lab"), made)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    for _ in range(2):
        with pytest.raises(KubeletError, match="has no placement: default-scheduler bound it"):
            desk.run(held)
    desk.wait(lambda: len(desk.events("DevicesRefused")) == 1)
    assert desk.specs() == []
    desk.server.put(paths.pods("lab"), scene.manifest(scene.placement()))
    assert metrics.refused_starts.value(RESOURCE) >= 2
    desk.wait(lambda: any(b"retry" in call.body for call in desk.server.calls("PATCH", "/pods/train")))
    assert "FAKE_DEVICES=fake-0" in desk.run(held)


def test_a_device_that_fails_is_withdrawn_and_comes_back(desk: Desk) -> None:
    """From the kubelet, from the inventory and from the totals, with the driver's reason."""
    desk.ready(desk.start())
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)
    desk.discovery.ill["fake-1"] = "fell off the bus"
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 10)
    desk.wait(lambda: "fell off the bus" in desk.node["metadata"]["annotations"]["hetero.io/inventory"])
    desk.wait(lambda: int(desk.node["status"]["allocatable"]["fake.example/npumem"]) == 16384)
    desk.discovery.ill.clear()
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)
    desk.wait(lambda: "fell off the bus" not in desk.node["metadata"]["annotations"]["hetero.io/inventory"])


def test_a_container_on_a_failed_device_waits_and_is_woken(desk: Desk, scene: Any) -> None:
    """Refused with the driver's reason; when the device is well its pod is touched, and the kubelet asks at once."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    desk.discovery.ill["fake-0"] = "too hot"
    desk.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 10)
    with pytest.raises(KubeletError, match="is not well: too hot"):
        desk.run(held)
    desk.discovery.ill.clear()
    desk.wait(lambda: len(desk.server.calls("PATCH", "/pods/pod-7f1c")) == 1)
    assert "FAKE_DEVICES=fake-0" in desk.run(held)


@pytest.mark.parametrize("how", ["Succeeded", "deleted"])
def test_what_a_pod_had_goes_with_it(desk: Desk, scene: Any, how: str) -> None:
    """Specification, slice and instance; by force deleted pods wait until the kubelet has forgotten them as well."""
    agent = desk.start(sweep_seconds=0.2)
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    assert (len(desk.slices()), len(desk.specs()), len(desk.enforcement.made)) == (1, 1, 1)
    if how == "deleted":
        desk.api.delete(paths.pod("lab", "pod-7f1c"), NOW)
        desk.kubelet.forget(scene.uid)
    else:
        _pod(desk, scene, status={"phase": how})
    desk.wait(lambda: not desk.slices() and not desk.specs())
    assert desk.enforcement.made == set()


def test_a_pod_that_only_vanished_keeps_what_the_kubelet_holds_for_it(desk: Desk, scene: Any) -> None:
    """Who deletes by force does not wait for the containers: they may still run."""
    agent = desk.start(sweep_seconds=0.05)
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    before = metrics.swept.value("slice")
    desk.api.delete(paths.pod("lab", "pod-7f1c"), NOW)
    _pod(desk, scene, "2222")
    desk.wait(lambda: desk.agents[0]._pods.get(scene.uid) is None)
    desk.run(desk.kubelet.admit("2222", "main", RESOURCE))
    assert len(desk.slices()) == 2
    assert metrics.swept.value("slice") == before


def test_room_that_is_free_again_is_there_when_it_is_needed(desk: Desk, scene: Any) -> None:
    """The scheduler gives it at once; the instance of the pod that is over is destroyed when the next one needs it."""
    desk.enforcement.most = 1
    agent = desk.start(sweep_seconds=1000)
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    _pod(desk, scene, status={"phase": "Succeeded"})
    _pod(desk, scene, "2222")
    desk.wait(lambda: agent._pods.over(scene.uid))
    assert "FAKE_DEVICES=fake-0" in desk.run(desk.kubelet.admit("2222", "main", RESOURCE))
    assert len(desk.enforcement.made) == 1


def test_a_container_gets_the_instance_that_its_init_container_had(desk: Desk, scene: Any) -> None:
    """The planner counts the room of the two once, for they never run at the same time."""
    desk.enforcement.most = 1
    agent = desk.start()
    init = [{"name": "fetch", "resources": {"limits": {RESOURCE: "1", "fake.example/npumem": "1024"}}}]
    placed = {"init_containers": (ContainerPlacement(container="fetch", devices=(scene.share(),)),)}
    _pod(desk, scene, placed=placed, initContainers=init)
    desk.ready(agent)
    fetch = desk.kubelet.admit(scene.uid, "fetch", RESOURCE)
    main = desk.kubelet.admit(scene.uid, "main", RESOURCE, reuse="fetch")
    assert fetch.ids == main.ids
    assert "FAKE_DEVICES=fake-0" in desk.run(fetch)
    ended = {"name": "fetch", "state": {"terminated": {"exitCode": 0}}}
    _pod(desk, scene, placed=placed, initContainers=init, status={"phase": "Pending", "initContainerStatuses": [ended]})
    desk.wait(lambda: desk.agents[0]._pods.get(scene.uid).ended == {"fetch"})
    assert "FAKE_DEVICES=fake-0" in desk.run(main)
    assert len(desk.enforcement.made) == 1


def test_a_pod_gets_the_room_that_anothers_init_container_has_left(desk: Desk, scene: Any) -> None:
    """The planner has given it away; nobody else would ever destroy the instance while that pod lives."""
    desk.enforcement.most = 1
    agent = desk.start()
    init = [{"name": "fetch", "resources": {"limits": {RESOURCE: "1", "fake.example/npumem": "1024"}}}]
    placed = {"init_containers": (ContainerPlacement(container="fetch", devices=(scene.share(),)),)}
    _pod(desk, scene, placed=placed, initContainers=init)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "fetch", RESOURCE))
    _pod(desk, scene, "2222")
    desk.wait(lambda: agent._pods.get("2222") is not None)
    other = desk.kubelet.admit("2222", "main", RESOURCE)
    with pytest.raises(KubeletError, match="no instance is free"):
        desk.run(other)
    ended = {"name": "fetch", "state": {"terminated": {"exitCode": 0}}}
    _pod(desk, scene, placed=placed, initContainers=init, status={"phase": "Running", "initContainerStatuses": [ended]})
    desk.wait(lambda: agent._pods.get(scene.uid).ended == {"fetch"})
    assert "FAKE_DEVICES=fake-0" in desk.run(other)
    assert len(desk.enforcement.made) == 1


def test_an_agent_that_is_started_anew_knows_what_the_last_one_did(desk: Desk, scene: Any) -> None:
    """A container that starts again has the same, and what is over meanwhile is cleared up."""
    first = desk.start()
    _pod(desk, scene)
    _pod(desk, scene, "2222")
    desk.ready(first)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    desk.run(held)
    desk.run(desk.kubelet.admit("2222", "main", RESOURCE))
    specs = desk.specs()
    desk.agents.remove(first)
    first.stop()
    desk.api.delete(paths.pod("lab", "pod-2222"), NOW)
    desk.kubelet.forget("2222")
    desk.ready(desk.start())
    desk.wait(lambda: len(desk.specs()) == 1 and len(desk.slices()) == 1)
    assert desk.specs()[0] in specs
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)
    assert sorted(desk.run(held)) == ["FAKE_DEVICES=fake-0", "FAKE_MEMORY=1024"]


def test_a_kubelet_that_is_started_anew_is_found(desk: Desk, scene: Any) -> None:
    """It has removed every socket; a container that dies afterwards starts with its own limits."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    desk.run(held)
    desk.kubelet.restart()
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)
    assert "FAKE_DEVICES=fake-0" in desk.run(held)


def test_a_reboot_leaves_nothing_that_is_not_made_again(desk: Desk, scene: Any) -> None:
    """What lies in tmpfs is gone, the kubelet's checkpoint and the pod are not."""
    import shutil

    first = desk.start()
    _pod(desk, scene)
    desk.ready(first)
    held = desk.kubelet.admit(scene.uid, "main", RESOURCE)
    before = desk.run(held)
    desk.agents.remove(first)
    first.stop()
    shutil.rmtree(desk.place / "run")
    for path in (desk.place / "cdi").iterdir():
        path.unlink()
    desk.kubelet.restart()
    desk.ready(desk.start())
    assert desk.run(held) == before
    assert len(desk.slices()) == 1


def test_a_runtime_without_cdi_gets_no_devices_to_offer(desk: Desk) -> None:
    """Event, readiness and no plugin; a runtime that is replaced by a newer one is served at once."""
    desk.put_node("containerd://1.6.20")
    agent = desk.start()
    desk.wait(lambda: len(desk.events("ContainerRuntime")) == 1)
    desk.wait(lambda: "not containerd://1.6.20" in agent.waiting())
    assert desk.kubelet.endpoints.registrations == []
    assert "annotations" not in desk.node["metadata"] or not desk.node["metadata"]["annotations"]
    assert "passes CDI devices over" in desk.events("ContainerRuntime")[0]
    desk.put_node()
    desk.ready(agent)
    assert desk.kubelet.wait(lambda: desk.kubelet.allocatable(RESOURCE) == 20)


def test_a_pod_that_the_kubelet_failed_is_told_why(desk: Desk, scene: Any) -> None:
    """Once, and only if it was for our devices."""
    desk.ready(desk.start())
    text = "Allocate failed due to no healthy devices present; cannot allocate unhealthy devices fake.example/npu"
    for uid, message in (("1111", text), ("2222", "Allocate failed due to acme.com/other")):
        status = {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": message}
        _pod(desk, scene, uid, status=status)
        _pod(desk, scene, uid, status={**status, "message": f"{message} "})
    desk.wait(lambda: len(desk.events("DevicesUnavailable")) == 1)
    assert "a bare one is to be deleted and created again" in desk.events("DevicesUnavailable")[0]


def test_uninstalled_it_leaves_nothing(desk: Desk, scene: Any) -> None:
    """No annotation, no total, no specification, no slice and no library: its DaemonSet is gone."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    desk.wait(lambda: "fake.example/npumem" in desk.node["status"]["capacity"])
    desk.api.delete(f"{DAEMONSETS}/hetero-agent")
    agent.stop()
    desk.agents.remove(agent)
    assert (desk.slices(), desk.specs(), desk.enforcement.made) == ([], [], set())
    assert "hetero.io/inventory" not in (desk.node["metadata"].get("annotations") or {})
    assert desk.node["status"]["capacity"] == {"cpu": "8"}


def test_an_agent_whose_vendor_has_moved_leaves_that_ones_and_takes_its_own_word_back(desk: Desk, scene: Any) -> None:
    """Its DaemonSet is gone and another serves the vendor: slices of containers that run are that one's now."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    desk.wait(lambda: "fake.example/npumem" in desk.node["status"]["capacity"])
    env = [{"name": "HETERO_VENDORS", "value": "other fake"}]
    spec = {"template": {"spec": {"containers": [{"name": "agent", "env": env}]}}}
    desk.server.put(DAEMONSETS, {"metadata": {"name": "hetero-agent-fake"}, "spec": spec})
    desk.api.delete(f"{DAEMONSETS}/hetero-agent")
    agent.stop()
    desk.agents.remove(agent)
    assert (len(desk.slices()), len(desk.specs()), len(desk.enforcement.made)) == (1, 1, 1)
    assert "hetero.io/inventory" not in (desk.node["metadata"].get("annotations") or {})
    assert "fake.example/npumem" in desk.node["status"]["capacity"]


def test_updated_it_leaves_everything(desk: Desk, scene: Any) -> None:
    """Its DaemonSet is there: containers run on, and the next agent goes on with them."""
    agent = desk.start()
    _pod(desk, scene)
    desk.ready(agent)
    desk.run(desk.kubelet.admit(scene.uid, "main", RESOURCE))
    agent.stop()
    desk.agents.remove(agent)
    assert (len(desk.slices()), len(desk.specs()), len(desk.enforcement.made)) == (1, 1, 1)
    assert "hetero.io/inventory" in desk.node["metadata"]["annotations"]
