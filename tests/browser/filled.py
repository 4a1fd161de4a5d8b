"""The cluster that pages are looked at with: every vendor's cards, slices of all kinds, pods that wait, quotas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hetero.cli.cluster_file import inventory
from hetero.cli.context import read_yaml
from tests.browser.stage import Dashboard, Stage, asked, dashboard, stage, until

FILE = Path(__file__).parents[2] / "examples/clusters/mixed.yaml"

KINDS: dict[str, dict[str, str]] = {
    "inference": {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "6144", "nvidia.com/gpucores": "30"},
    "embedder": {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "4096"},
    "mlu-slice": {
        "cambricon.com/vmlu": "1",
        "cambricon.com/mlu.smlu.vmemory": "20",
        "cambricon.com/mlu.smlu.vcore": "10",
    },
    "dcu-slice": {"hygon.com/dcunum": "1", "hygon.com/dcumem": "8000", "hygon.com/dcucores": "40"},
    "npu-slice": {"huawei.com/Ascend910B4": "1", "huawei.com/Ascend910B4-memory": "8000"},
}
"""What pods ask, by the name that they begin with."""

COPIES = 4
TEAMS = ("research", "serving")
WARM = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "2048", "nvidia.com/gpucores": "10"}
WARMING = {**WARM, "nvidia.com/gpumem": "5120"}
TOO_LARGE = {"nvidia.com/gpu": "1", "nvidia.com/gpumem": "999999"}


@contextmanager
def cluster() -> Iterator[Stage]:
    """A stage with all of it."""
    with stage() as made:
        fill(made)
        yield made


@contextmanager
def shown(of: Stage, directory: Path, *options: str, settings: str = "") -> Iterator[Dashboard]:
    """A dashboard in front of such a cluster, once it knows all of it; the rest as of :func:`stage.dashboard`."""
    with dashboard(of.server, directory, *options, settings=settings) as made:
        settled(made.url, of)
        yield made


def fill(stage: Stage) -> None:
    """All of it; always the same."""
    vendors = stage.vendors
    stage.nodes(*inventory(_without_absent(read_yaml(FILE), vendors), FILE, vendors).nodes)
    for number in range(COPIES):
        for kind, limits in KINDS.items():
            stage.place(f"{kind}-{number}", limits, TEAMS[number % 2], **{"nvidia.com/vgpu-mode": "hami-core"})
    stage.place("warmed-up", WARM, "serving", before=WARMING, **{"nvidia.com/vgpu-mode": "hami-core"})
    stage.place("too-large", TOO_LARGE, "research")
    stage.quota("research", "cards", {"limits.nvidia.com/gpumem": "100000", "limits.nvidia.com/gpu": "8"})
    stage.agents.silent.add("rack-1")


def settled(url: str, stage: Stage) -> None:
    """Wait until the dashboard knows the cluster, all agents but silent ones, and why pods wait.

    Raises:
        TimeoutError: It does not come to that.
    """
    nodes = len(stage.cluster.planner.inventory.nodes)
    wanted = (nodes, nodes - len(stage.agents.silent), len(stage.placements))

    def known() -> bool:
        overview = asked(url, "overview")
        seen = (overview["nodes"], overview["freshness"]["reporting"], overview["workloads"])
        return seen == wanted and all(one["reason"] for one in overview["waiting"])

    until(known, f"the dashboard to know {wanted} nodes, reports and workloads")


def _without_absent(document: dict[str, list[dict[str, object]]], vendors: object) -> dict[str, object]:
    """The file's nodes whose vendors are all installed: a third party's need not be."""

    def there(node: dict[str, object]) -> bool:
        devices = node["devices"]
        assert isinstance(devices, list)
        return all(device["vendor"] in vendors for device in devices)  # type: ignore[operator]

    return {"nodes": [node for node in document["nodes"] if there(node)]}
