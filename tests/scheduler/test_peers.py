"""The ledger under the names that dashboards of another project read: every figure is the ledger's."""

from __future__ import annotations

import msgspec
import pytest
import serving
from sent import shown
from starlette.applications import Starlette

from hetero import metrics
from hetero.kube.objects import Metadata, QuotaSpec, ResourceQuota
from hetero.model.placement import ContainerPlacement
from hetero.peer_metrics import Names
from hetero.scheduler import app
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.peers import Source
from hetero.testing.fake import MEMORY_MIB, fake_node

MIB = 1 << 20


@pytest.fixture
def cluster(vendors, pod, placed) -> Cluster:
    """Two nodes, and a pod with an init container and two containers, the second of which has a device."""
    made = Cluster(vendors)
    made.nodes.replace([shown(fake_node("a", 2)), shown(fake_node("b", 1))])
    place = placed("x", "a", memory=4096)
    [one] = place.containers
    share = one.devices[0]
    half = msgspec.structs.replace(share, share=msgspec.structs.replace(
        share.share, quantities={**share.share.quantities, "cores": 30}
    ))  # fmt: skip
    place = msgspec.structs.replace(
        place,
        containers=(ContainerPlacement(container="sidecar"), ContainerPlacement(container="c", devices=(half,))),
        init_containers=(ContainerPlacement(container="i", devices=(share,)),),
    )
    made.pods.put(pod("x", node="a", placed=place))
    return made


def told(cluster: Cluster, *, legacy: bool = False) -> list[str]:
    """The samples, in their order."""
    text = "".join(Source(cluster, Names(current=not legacy, legacy=legacy)).pieces())
    return [line for line in text.splitlines() if not line.startswith("#")]


def test_devices_are_told_as_the_ledger_has_them(cluster: Cluster) -> None:
    """What they have and what is promised of them; sorted, each once."""
    labels = 'node="a",device_uuid="fake-0",device_index="0"'
    kind = 'device_type="Fake F1"'
    lines = told(cluster)
    assert [line for line in lines if f"{labels}" in line] == [
        f"hami_gpu_memory_limit_bytes{{{labels},{kind}}} {MEMORY_MIB * MIB}",
        f"hami_gpu_core_limit_ratio{{{labels},{kind}}} 100",
        f'hami_gpu_memory_allocated_bytes{{{labels},device_cores="100",{kind}}} {4096 * MIB}',
        f"hami_gpu_shared_count{{{labels},{kind}}} 1",
        f"hami_gpu_core_allocated_ratio{{{labels},{kind}}} 30.0",
        f'hami_node_gpu_overview{{{labels},device_cores="100",device_memory_limit="16384",{kind}}} {4096 * MIB}',
        f"hami_node_gpu_memory_allocated_ratio{{{labels}}} 0.25",
    ]
    assert len([line for line in lines if line.startswith("hami_gpu_shared_count")]) == 3
    assert len(set(lines)) == len(lines)


def test_containers_have_their_own_position(cluster: Cluster) -> None:
    """That of the pod's list, and init containers are told apart."""
    where = 'namespace="default",node="a",pod="x",container_index="{}",device_uuid="fake-0"'
    assert [line for line in told(cluster) if line.startswith("hami_vgpu")] == [
        f"hami_vgpu_memory_allocated_bytes{{{where.format(1)}}} {4096 * MIB}",
        f"hami_vgpu_memory_allocated_bytes{{{where.format('init-0')}}} {4096 * MIB}",
        f"hami_vgpu_core_allocated_ratio{{{where.format(1)}}} 30",
        f"hami_vgpu_core_allocated_ratio{{{where.format('init-0')}}} 0",
    ]


def test_the_older_names_tell_raw_amounts(cluster: Cluster) -> None:
    """As they did."""
    lines = told(cluster, legacy=True)
    assert 'GPUDeviceCoreAllocated{nodeid="a",deviceuuid="fake-0",deviceidx="0",devicetype="Fake F1"} 30' in lines
    assert not any(line.startswith("hami_") for line in lines)


def test_quotas_are_told_by_resource(cluster: Cluster) -> None:
    """What is taken of each, with its limit as a label and by itself."""
    spec = QuotaSpec(hard={"limits.fake.example/npumem": 5000})
    cluster.quotas.put(ResourceQuota(Metadata(name="q", namespace="default"), spec))
    assert [line for line in told(cluster) if line.startswith("hami_resource")] == [
        'hami_resource_quota_used{namespace="default",quota_name="fake.example/npumem",limit="5000"} 4096',
        'hami_resource_quota_limit{namespace="default",quota_name="fake.example/npumem"} 5000',
    ]


def test_pods_that_are_only_promised_are_not_told(cluster: Cluster, placed) -> None:
    """They have no container yet; what is promised shows at the device."""
    cluster.planner.charge(placed("y", "b"))
    lines = told(cluster)
    assert not [line for line in lines if 'pod="y"' in line]
    [line] = [line for line in lines if line.startswith("hami_gpu_memory_allocated") and 'node="b"' in line]
    assert line.endswith(f" {1000 * MIB}")


def test_an_empty_cluster_is_told(vendors) -> None:
    """Every name has its meaning and no sample."""
    source = Source(Cluster(vendors), Names(current=True, legacy=True))
    assert all(line.startswith("#") for line in "".join(source.pieces()).splitlines())


def test_they_follow_our_own_names_on_the_page(cluster: Cluster) -> None:
    """In one exposition, when they are asked for."""
    more = Source(cluster, Names(current=True, legacy=False)).pieces
    pages = [Starlette(routes=app.common(lambda: "", lambda: None, more=one)) for one in (None, more)]
    with serving.serve(*pages) as served:
        plain, with_them = (served.get("/metrics", port=port) for port in served.ports)
    assert plain[:2] == with_them[:2] == (200, metrics.CONTENT_TYPE)
    assert with_them[2].startswith(b"# HELP hetero_plugin_failures_total")
    assert b"hami_gpu_memory_limit_bytes{" in with_them[2]
    assert b"hami_" not in plain[2]
