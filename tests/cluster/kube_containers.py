"""All kinds of containers, and of asks, in a pod."""

from __future__ import annotations

from tests.cluster.release import Release, container, gpu, limits, limits_of, pod, totals

READ = ("cat", "/etc/hetero/limits")


def test_init_containers_and_containers_have_each_their_own(slices: Release) -> None:
    """The kubelet gives an init container's slot to a container after it: both start with the same one."""
    cluster = slices.cluster
    first = container("first", *READ, ask=gpu(1100))
    second = container("second", *READ, ask=gpu(1200))
    cluster.apply(pod("staged", container(ask=gpu(1300)), initContainers=[first, second]))
    cluster.wait("staged")
    assert limits(cluster.logs("staged", "first")).memory == [1100]
    assert limits(cluster.logs("staged", "second")).memory == [1200]
    assert limits_of(cluster, "staged").memory == [1300]


def test_a_sidecar_has_its_own_beside_the_others(slices: Release) -> None:
    """It runs from before the first container to after the last, and keeps what it has."""
    cluster = slices.cluster
    sidecar = container("side", ask=gpu(1100), restartPolicy="Always")
    once = container("once", *READ, ask=gpu(1150))
    cluster.apply(pod("sidecar", container(ask=gpu(1200)), initContainers=[sidecar, once]))
    cluster.wait("sidecar")
    assert limits(cluster.logs("sidecar", "once")).memory == [1150]
    assert limits_of(cluster, "sidecar", "side").memory == [1100]
    assert limits_of(cluster, "sidecar").memory == [1200]
    cluster.kill_container("sidecar", "side")
    cluster.until(
        lambda: (found := cluster.pod("sidecar"), _restarted(found, "side")), "the sidecar runs again", 90,
        lambda: cluster.describe("sidecar"),
    )  # fmt: skip
    assert limits_of(cluster, "sidecar", "side").memory == [1100]
    assert limits_of(cluster, "sidecar").memory == [1200]


def test_several_containers_of_a_pod(slices: Release) -> None:
    """Equal counts, other amounts, and one that asks for nothing and is given nothing."""
    cluster = slices.cluster
    asking = [container(f"c{n}", ask=gpu(1000 + n)) for n in range(4)]
    cluster.apply(pod("several", *asking, container("plain")))
    cluster.wait("several")
    for n in range(4):
        assert limits_of(cluster, "several", f"c{n}").memory == [1000 + n]
    assert "hetero" not in cluster.exec("several", "ls", "/etc", container="plain").split()


def test_two_devices_in_a_container(slices: Release) -> None:
    """Two cards, each with its limit; the program sees both."""
    cluster = slices.cluster
    cluster.apply(pod("double", container(ask=gpu(2048, count=2))))
    cluster.wait("double")
    found = limits_of(cluster, "double")
    assert found.memory == [2048, 2048]
    assert len({one[0] for one in found.devices}) == 2
    told = cluster.exec("double", "cardinfo")
    assert told.count("card ") == 2
    assert totals(told) == {2048}


def test_a_whole_card_beside_slices(slices: Release) -> None:
    """Who has a card alone shares it with nobody, and the slices are on the other one."""
    cluster = slices.cluster
    cluster.apply(pod("whole", container(ask={"nvidia.com/gpu": 1, "nvidia.com/gpucores": 100})))
    cluster.wait("whole")
    cluster.apply([pod(f"part-{n}", container(ask=gpu(1500, 10))) for n in range(3)])
    for n in range(3):
        cluster.wait(f"part-{n}")
    [whole] = limits_of(cluster, "whole").devices
    parts = [limits_of(cluster, f"part-{n}").devices[0] for n in range(3)]
    assert {one[0] for one in parts} == {one[0] for one in parts} - {whole[0]}
    assert len({one[0] for one in parts}) == 1
    assert totals(cluster.exec("whole", "cardinfo")) == {81559}


def _restarted(found: dict[str, object], name: str) -> bool:
    status = found["status"]
    assert isinstance(status, dict)
    every = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    [one] = [one for one in every if one["name"] == name]
    return bool(one["restartCount"] == 1 and "running" in one["state"])
