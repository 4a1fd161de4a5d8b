"""The scenarios' own arithmetic: what annotations add up to, and that a device given twice is noticed."""

from __future__ import annotations

import msgspec
import pytest

from hetero.kube.objects import Metadata, Pod, PodSpec, PodStatus
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from tests.cluster import books
from tests.cluster.manifests import limits, machine, managed, node, pod, scheduler_configuration


def container(*devices: str, memory: int = 1000, name: str = "c") -> ContainerPlacement:
    """A container with a share of each of these devices."""
    share = Share(quantities={"slots": 1, "memory": memory, "cores": 0})
    return ContainerPlacement(
        container=name, devices=tuple(DeviceShare(vendor="nvidia", device=device, share=share) for device in devices)
    )


def placed(*containers: ContainerPlacement, init: tuple[ContainerPlacement, ...] = ()) -> Placement:
    """A pod's placement on the node ``n``."""
    return Placement(namespace="d", pod="p", node="n", containers=containers, init_containers=init, uid="u")


def written(placement: Placement, node_name: str = "n", uid: str = "u", phase: str = "Running") -> Pod:
    """The pod as it is read back."""
    notes = {PLACEMENT: wire.encode(placement)}
    return Pod(
        metadata=Metadata(name="p", namespace="d", uid=uid, annotations=notes),
        spec=PodSpec(node_name=node_name),
        status=PodStatus(phase=phase),
    )


def test_containers_add_up_and_init_containers_do_not() -> None:
    """They run one after the other, before the others: the larger of the two counts, on each device."""
    found = books.charged(
        [placed(container("a"), container("a", "b"), init=(container("a", memory=1500), container("c", memory=700)))]
    )
    assert found == {
        "n": {"a": {"slots": 2, "memory": 2000}, "b": {"slots": 1, "memory": 1000}, "c": {"slots": 1, "memory": 700}}
    }


def test_a_device_given_twice_is_noticed() -> None:
    """In any dimension, with the device and the amounts."""
    nodes = [machine("n", 1, memory=1500)]
    found = books.charged([placed(container("nvidia-n-0")), placed(container("nvidia-n-0"))])
    assert books.overcommitted(found, nodes) == ["n/nvidia-n-0: 2000 of 1500 memory"]
    assert books.overcommitted(books.charged([placed(container("nvidia-n-0"))]), nodes) == []


def test_what_is_not_taken_is_free() -> None:
    """In every dimension that a device has, on devices that nobody uses as well."""
    nodes = [machine("n", 2, memory=1500)]
    assert books.free(books.charged([placed(container("nvidia-n-0"))]), nodes) == {
        "n": {
            "nvidia-n-0": {"slots": 9, "memory": 500, "cores": 100},
            "nvidia-n-1": {"slots": 10, "memory": 1500, "cores": 100},
        }
    }


def test_only_placements_of_pods_that_hold_devices_count() -> None:
    """A pod that is over holds none, and one without the annotation never did."""
    mine = placed(container("a"))
    plain = Pod(metadata=Metadata(name="q", uid="v"), spec=PodSpec(node_name="n"))
    assert books.placements([written(mine), plain, written(mine, phase="Succeeded")]) == [mine]


@pytest.mark.parametrize("other", [{"node_name": "m"}, {"uid": "v"}])
def test_a_placement_of_something_else_is_noticed(other: dict[str, str]) -> None:
    """Of another node than the pod's, or of another pod of that name."""
    with pytest.raises(AssertionError, match="d/p"):
        books.placements([written(placed(container("a")), **other)])


def test_nothing_is_no_entry() -> None:
    """Books compare equal whether or not a zero is written."""
    assert books.tidy({"n": {"a": {"slots": 0}, "b": {"slots": 1, "cores": 0}}, "m": {}}) == {"n": {"b": {"slots": 1}}}


def test_nodes_publish_the_totals_of_their_devices() -> None:
    """So that kube-scheduler, quotas and autoscalers see them; what else is said of a node is kept."""
    made = node(machine("n", 3, memory=1000), labels={"zone": "a"}, unschedulable=True)
    published = made["status"]["allocatable"]
    assert {name: amount for name, amount in published.items() if "/" in name} == {
        "nvidia.com/gpu": "30",
        "nvidia.com/gpumem": "3000",
        "nvidia.com/gpucores": "300",
    }
    assert made["metadata"]["labels"]["zone"] == "a"
    assert made["spec"] == {"unschedulable": True}


def test_a_pod_asks_by_its_limits() -> None:
    """Containers in order; without any it is one that takes a device whole."""
    made = pod("p", limits(2, memory=5, cores=1), {"cpu": "1"}, nodeName="n")
    assert [one["resources"]["limits"] for one in made["spec"]["containers"]] == [
        {"nvidia.com/gpu": "2", "nvidia.com/gpumem": "5", "nvidia.com/gpucores": "1"},
        {"cpu": "1"},
    ]
    assert made["spec"]["nodeName"] == "n"
    assert pod("p")["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}


def test_the_extender_is_told_what_it_looks_after() -> None:
    """Every resource of every vendor; those that no node publishes are not kube-scheduler's to count."""
    visible, ignored = managed()
    assert {"nvidia.com/gpu", "nvidia.com/gpumem", "toy.example/widget"} <= set(visible)
    assert {"nvidia.com/gpumem-percentage", "nvidia.com/priority"} <= set(ignored)
    [extender] = scheduler_configuration("http://127.0.0.1:1")["extenders"]
    told = {one["name"]: one.get("ignoredByScheduler", False) for one in extender["managedResources"]}
    assert told == {**dict.fromkeys(visible, False), **dict.fromkeys(ignored, True)}
    assert msgspec.json.encode(scheduler_configuration("http://127.0.0.1:1", lease="l"))
