"""``hetero plan``: where pods go, what is left, and why a pod finds no place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hetero.testing.fake import fake_vendor

if TYPE_CHECKING:
    from hetero.model.device import Device, Quantities
    from tests.cli.commands.conftest import Hetero, Install, PodMaker, Write

NPU, MEMORY, CORES = "fake.example/npu", "fake.example/npumem", "fake.example/npucores"
DEVICE = {"vendor": "fake", "model": "Fake F1", "memory": 12288}


@pytest.fixture
def cluster(write: Write) -> Path:
    """A node with two devices and three nodes with one."""
    nodes = [{"name": "big", "devices": [{**DEVICE, "count": 2}]}, {"name": "small", "count": 3, "devices": [DEVICE]}]
    return write({"nodes": nodes}, name="cluster.yaml")


def _small(memory: int = 1024, cores: int = 30, count: int = 1) -> dict[str, int]:
    return {NPU: count, MEMORY: memory, CORES: cores}


def test_json_has_a_version_and_stable_keys(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """Programs rely on the keys of placements, of pods without a place and of devices."""
    manifest = write(pod("fits", _small()), pod("huge", _small(memory=13312)))
    answer = hetero("plan", "-f", manifest, "--cluster", cluster, "--output", "json")
    assert answer.code == 3
    assert set(answer.json) == {"version", "placements", "unplaced", "devices"}
    [placement] = answer.json["placements"]
    assert set(placement) == {"namespace", "pod", "kind", "container", "node", "devices"}
    assert set(placement["devices"][0]) == {"vendor", "device", "memory_mib", "cores_percent", "template"}
    [unplaced] = answer.json["unplaced"]
    assert set(unplaced) == {"namespace", "pod", "nodes"}
    assert set(unplaced["nodes"]) == {"big", "small-0", "small-1", "small-2"}
    assert {"reason", "message"} == set(unplaced["nodes"]["big"])
    assert set(answer.json["devices"][0]) == {"node", "device", "model", "left", "capacity"}


def test_each_container_is_shown_with_its_devices(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """Node, device and share of every container; one without devices has a dash."""
    document = pod("p", _small())
    document["spec"]["containers"].append({"name": "proxy", "image": "i"})
    answer = hetero("plan", "-f", write(document), "--cluster", cluster)
    assert (answer.code, answer.err) == (0, "")
    rows = [line.split() for line in answer.out.splitlines()[1:3]]
    assert rows[0] == ["p", "main", "small-0", "small-0-fake-0", "1024", "MiB", "30", "%"]
    assert rows[1] == ["p", "proxy", "small-0", "-", "-", "-"]


def test_what_is_left_is_shown_for_every_device(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """With ``--all``: in every dimension, of how much; devices that nothing was placed on included."""
    answer = hetero("plan", "-f", write(pod("p", _small())), "--cluster", cluster, "--all")
    left = [line for line in answer.out.splitlines() if " of " in line]
    assert len(left) == 5
    assert [line.split()[0] for line in left] == ["big", "big", "small-0", "small-1", "small-2"]
    taken = left.pop(2)
    assert all(amount in taken for amount in ("11264 of 12288 MiB", "70 of 100 %", "9 of 10"))
    assert all("12288 of 12288 MiB" in line for line in left)


def test_only_the_devices_of_the_plan_are_listed_and_the_rest_is_summed(
    hetero: Hetero, write: Write, pod: PodMaker
) -> None:
    """A cluster has thousands: what the plan changes stands by itself, and each model is one line."""
    nodes = [{"name": "n", "count": 3, "devices": [DEVICE, {**DEVICE, "model": "Fake A1", "memory": 2048, "count": 2}]}]
    cluster = write({"nodes": nodes}, name="cluster.yaml")
    told = hetero("plan", "-f", write(pod("p", _small(memory=4096))), "--cluster", cluster).out
    _, listed, summed = told.split("\n\n")
    title, _, *devices = listed.splitlines()
    assert title == "left on the devices of this plan"
    assert [line.split()[:2] for line in devices] == [["n-0", "n-0-fake-0"]]
    assert "8192 of 12288 MiB" in devices[0]
    title, _, *models = summed.splitlines()
    assert title.startswith("left on all devices")
    assert "--all" in title
    amounts = "12288 of 12288 MiB  600 of 600 %  60 of 60     2048 MiB"
    assert models[0] == f"Fake A1      3        6          6  {amounts}"
    amounts = "32768 of 36864 MiB  270 of 300 %  29 of 30    12288 MiB"
    assert models[1] == f"Fake F1      3        3          2  {amounts}"


def test_where_nothing_is_placed_the_sums_stand_alone(
    hetero: Hetero, write: Write, pod: PodMaker, cluster: Path
) -> None:
    """There is no device of the plan; the most that one device has left says why a large slice finds none."""
    told = hetero("plan", "-f", write(pod("huge", _small(memory=13312))), "--cluster", cluster).out
    assert "of this plan" not in told
    assert told.startswith("left on all devices")
    assert told.splitlines()[2].endswith("12288 MiB")


def test_a_device_that_an_init_container_alone_holds_is_of_the_plan(
    hetero: Hetero, write: Write, pod: PodMaker, cluster: Path
) -> None:
    """It is kept for the pod, which may start anew."""
    document = pod("p", {})
    limits = _small()
    document["spec"]["initContainers"] = [{"name": "first", "image": "i", "resources": {"limits": limits}}]
    told = hetero("plan", "-f", write(document), "--cluster", cluster).out
    assert "11264 of 12288 MiB" in told.split("left on the devices of this plan")[1].split("\n\n")[0]


def test_pods_are_placed_beside_one_another(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """Each pod is charged before the next: five of 7 GiB fill five devices, the sixth finds none."""
    manifest = write(*(pod(f"p{index}", _small(memory=7168)) for index in range(6)))
    answer = hetero("plan", "-f", manifest, "--cluster", cluster, "--output", "json")
    taken = [(one["node"], one["devices"][0]["device"]) for one in answer.json["placements"]]
    assert len(set(taken)) == len(taken) == 5
    assert [one["pod"] for one in answer.json["unplaced"]] == ["p5"]
    assert answer.code == 3


def test_several_manifests_are_one_plan(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """``-f`` may be given several times, and the order of the files is the order of placing."""
    first, second = (write(pod(name, _small()), name=f"{name}.yaml") for name in ("b", "a"))
    answer = hetero("plan", "-f", first, "-f", second, "--cluster", cluster, "--output", "json")
    assert [one["pod"] for one in answer.json["placements"]] == ["b", "a"]


def test_reasons_are_grouped_by_node_the_most_frequent_first(
    hetero: Hetero, write: Write, pod: PodMaker, cluster: Path
) -> None:
    """Of a thousand nodes nobody reads a thousand lines: equal reasons are one, with how many and some names."""
    answer = hetero("plan", "-f", write(pod("pair", _small(count=2, memory=12289))), "--cluster", cluster)
    assert answer.code == 3
    told = answer.out.split("default/pair finds no place:\n")[1].splitlines()
    assert told[0].startswith("  3/4 nodes (small-0, small-1, small-2): ")
    assert "asked 2 devices, the node has 1" in told[0]
    assert told[0].endswith("[NodeInsufficientDevice]")
    assert told[1].startswith("  1/4 nodes (big): ")
    assert told[1].endswith("[CardInsufficientMemory]")
    assert "asked 12289 MiB" in told[1]
    assert len(told) == 2


def test_of_many_nodes_three_are_named(hetero: Hetero, write: Write, pod: PodMaker) -> None:
    """The rest is a count."""
    cluster = write({"nodes": [{"name": "n", "count": 9, "devices": [DEVICE]}]}, name="cluster.yaml")
    answer = hetero("plan", "-f", write(pod("p", _small(memory=13312))), "--cluster", cluster)
    assert "9/9 nodes (n-0, n-1, n-2, …): " in answer.out


def test_a_cluster_of_other_chips_says_that_it_has_none(hetero: Hetero, write: Write, pod: PodMaker) -> None:
    """A resource of an installed vendor is understood, and the nodes say what they lack."""
    cluster = write({"nodes": [{"name": "empty"}]}, name="cluster.yaml")
    answer = hetero("plan", "-f", write(pod("p", _small())), "--cluster", cluster)
    assert answer.code == 3
    assert "1/1 nodes (empty): the node has no fake device" in answer.out.replace("container main: ", "")


def test_all_problems_of_all_pods_are_told_together(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """One line for each; nothing is placed, since a plan of half the pods would mislead. Exit code 2."""
    wrong = {NPU: -1, MEMORY: 0.5}
    manifest = write(pod("a", wrong), pod("fine", _small()), pod("b", {"acme.com/chip": 1}))
    answer = hetero("plan", "-f", manifest, "--cluster", cluster)
    assert (answer.code, answer.out) == (2, "")
    lines = answer.err.splitlines()
    assert len(lines) == 3
    field = "spec.containers[0].resources.limits"
    assert lines[0] == f"hetero: file.yaml, document 1: {field}[{NPU}]: -1 is negative; write a whole number"
    assert f"document 1: {field}[{MEMORY}]: 0.5 is a fraction" in lines[1]
    assert f"document 3: {field}[acme.com/chip]: 1 is asked of a resource that belongs to no installed" in lines[2]


def test_the_problems_of_replicas_are_told_once(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """A thousand replicas have one template, and so one problem."""
    template = {"spec": pod(limits={NPU: -1})["spec"]}
    spec = {"replicas": 1000, "template": template}
    manifest = write({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
    assert "-1 is negative" in hetero("plan", "-f", manifest, "--cluster", cluster).told


def test_a_workload_is_as_many_pods_as_it_has_replicas(
    hetero: Hetero, write: Write, pod: PodMaker, cluster: Path
) -> None:
    """Each replica takes a whole device here, and there are five; the one that is too many has no place."""
    for replicas, code, placed in ((0, 0, 0), (5, 0, 5), (6, 3, 5)):
        spec = {"replicas": replicas, "template": {"spec": pod(limits={NPU: 1})["spec"]}}
        manifest = write({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})
        answer = hetero("plan", "-f", manifest, "--cluster", cluster, "--output", "json")
        assert (answer.code, len(answer.json["placements"])) == (code, placed)


def test_init_containers_are_shown_and_reuse_the_devices(
    hetero: Hetero, write: Write, pod: PodMaker, cluster: Path
) -> None:
    """They end before the others start: the pod is charged the greater of the two."""
    document = pod("p", _small(memory=2048))
    init = {**document["spec"]["containers"][0], "name": "warm", "resources": {"limits": _small(memory=4096)}}
    document["spec"]["initContainers"] = [init]
    answer = hetero("plan", "-f", write(document), "--cluster", cluster, "--output", "json")
    assert [(one["kind"], one["container"]) for one in answer.json["placements"]] == [
        ("init", "warm"),
        ("container", "main"),
    ]
    assert min(one["left"]["memory"] for one in answer.json["devices"]) == 12288 - 4096


def test_a_file_that_cannot_be_used_is_named(hetero: Hetero, write: Write, pod: PodMaker, cluster: Path) -> None:
    """Missing files are told before anything is placed."""
    manifest, missing = write(pod()), cluster.with_name("missing.yaml")
    for files in ((missing, cluster), (manifest, missing)):
        answer = hetero("plan", "-f", files[0], "--cluster", files[1])
        assert (answer.code, answer.out) == (2, "")
        assert answer.told == f"{missing}: cannot be read: No such file or directory"


@pytest.mark.parametrize(("policy", "nodes"), [("binpack", 1), ("spread", 3)])
def test_the_policy_of_the_configuration_is_the_default(
    hetero: Hetero, write: Write, pod: PodMaker, policy: str, nodes: int
) -> None:
    """``placement.node_policy`` decides where a pod does not say."""
    cluster = write({"nodes": [{"name": "n", "count": 3, "devices": [DEVICE]}]}, name="cluster.yaml")
    config = write({"placement": {"node_policy": policy}}, name="config.yaml")
    manifest = write(*(pod(f"p{index}", _small()) for index in range(3)))
    answer = hetero("--config", config, "plan", "-f", manifest, "--cluster", cluster, "--output", "json")
    assert len({one["node"] for one in answer.json["placements"]}) == nodes


def test_a_scorer_of_a_plugin_has_its_say(hetero: Hetero, install: Install, write: Write, pod: PodMaker) -> None:
    """A third party can prefer a node that the policies would not."""

    class LastNode:
        name = "last"

        def score(self, node: str, device: Device, left: Quantities) -> float:
            return 10.0 if node == "n-2" else 0.0

    install(fake_vendor(), scorers={"last": LastNode()})
    cluster = write({"nodes": [{"name": "n", "count": 3, "devices": [DEVICE]}]}, name="cluster.yaml")
    answer = hetero("plan", "-f", write(pod("p", _small())), "--cluster", cluster, "--output", "json")
    assert answer.json["placements"][0]["node"] == "n-2"


def test_brackets_in_names_are_printed_as_they_are(hetero: Hetero, write: Write, pod: PodMaker) -> None:
    """A product name is no markup."""
    nodes: list[dict[str, Any]] = [{"name": "n", "devices": [{**DEVICE, "model": "Fake [bold]F1[/bold]"}]}]
    cluster = write({"nodes": nodes}, name="cluster.yaml")
    assert "Fake [bold]F1[/bold]" in hetero("plan", "-f", write(pod("p", _small())), "--cluster", cluster).out
