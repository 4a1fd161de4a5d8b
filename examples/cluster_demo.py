"""`make demo-cluster`: pods find their place on a mixed cluster, and one that does not is told why.

`hetero scheduler` and its webhook run as they would in a cluster, as a process of their own. What surrounds them is
SIMULATED: the API server and a small kube-scheduler live in this program, and the nodes are those of a file. Every line
that starts with `$` is a command that is run, as a user would type it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import msgspec
from demo import PLUGINS, ROOT, ended, indent, require

from hetero import plugins
from hetero.admission.registration import managed_resources
from hetero.cli.cluster_file import inventory
from hetero.cli.context import read_yaml
from hetero.kube import paths
from hetero.testing.apiserver import ApiServer
from hetero.testing.hollow import hollow_node
from hetero.testing.kubescheduler import Extender, KubeScheduler
from hetero.testing.places import Port
from hetero.vendor import Vendor

CLUSTER = "examples/clusters/mixed.yaml"
KUBECONFIG = Path("build/demo/kubeconfig")
ASKED: dict[str, dict[str, int]] = {
    "inference-a": {"nvidia.com/gpumem": 8192, "nvidia.com/gpucores": 40},
    "inference-b": {"nvidia.com/gpumem-percentage": 50},
    "training": {"nvidia.com/gpu": 2},
    "mig": {"nvidia.com/mig-1g.5gb": 2},
    "mlu-slice": {"cambricon.com/mlu.smlu.vmemory": 20, "cambricon.com/mlu.smlu.vcore": 10},
    "dcu-slice": {"hygon.com/dcumem": 2000, "hygon.com/dcucores": 60},
    "npu-slice": {"huawei.com/Ascend910B4-memory": 8000},
    "npu-module": {"huawei.com/Ascend910C": 1},
    "widget": {"toy.example/widget": 1, "toy.example/widget-memory": 1024},
    "too-large": {"nvidia.com/gpumem": 40960},
}
"""Pods by name, with the limits of their one container. Counts and exclusive compute are filled in by the webhook."""


def main() -> int:
    """Start the cluster, create the pods, and look at what became of them."""
    with surroundings(KUBECONFIG) as (server, vendors):
        nodes = inventory(read_yaml(Path(CLUSTER)), Path(CLUSTER), vendors).nodes
        print(f"A SIMULATED cluster of {len(nodes)} nodes, {CLUSTER}, and a pod for each of {len(ASKED)} wishes.\n")
        for node in nodes:
            server.put(paths.NODES, hollow_node(node, vendors))
        with scheduler(server) as url, closing(server.api()) as api, KubeScheduler(api, extender(url, vendors)):
            for name, limits in ASKED.items():
                api.post(paths.pods("default"), _pod(name, limits))
            require(server.wait(lambda: _settled(server), 30), "placing the pods", None)
            show("hetero explain pod inference-a")
            show("hetero explain pod npu-slice")
            show("hetero explain pod widget")
            show("hetero explain pod too-large", code=3)
            show("hetero plan -f examples/cambricon/slice.yaml --cluster live")
            _events(server)
    return 0


@contextmanager
def surroundings(kubeconfig: Path) -> Iterator[tuple[ApiServer, Mapping[str, Vendor]]]:
    """An API server that commands reach by a kubeconfig, and the vendors, a third party's among them."""
    os.chdir(ROOT)
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PLUGINS), os.environ.get("PYTHONPATH")]))
    os.environ["KUBECONFIG"] = str(kubeconfig)
    sys.path.append(str(PLUGINS))
    vendors = plugins.load().vendors
    with ApiServer() as server:
        kubeconfig.parent.mkdir(parents=True, exist_ok=True)
        server.kubeconfig(kubeconfig)
        yield server, vendors


@contextmanager
def scheduler(server: ApiServer, log: IO[str] | None = None) -> Iterator[str]:
    """`hetero scheduler` on free ports, its webhook registered; gives the extender's address.

    It logs in sight, or to a file.
    """
    extender, public = Port(), Port()
    command = f"hetero scheduler --extender {extender} --public {public}"
    print(f"  $ {command} &", flush=True)
    process = subprocess.Popen(command.split(), stderr=log)
    try:
        server.wait(lambda: ready(extender) or process.poll() is not None, 120)
        require(process.poll() is None, command, process.returncode)
        server.webhook(f"http://{public}/webhook")
        yield f"http://{extender}"
    finally:
        process.terminate()
        process.wait()


def ready(address: Port) -> bool:
    """Whether a service of ours says that it is ready."""
    try:
        with urllib.request.urlopen(f"http://{address}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def extender(url: str, vendors: Mapping[str, Vendor]) -> Extender:
    """What kube-scheduler's configuration says of the extender; no node has totals of percentages and priorities."""
    managed = managed_resources(vendors)
    return Extender(
        url, [one["name"] for one in managed], [one["name"] for one in managed if one["ignoredByScheduler"]]
    )


def _pod(name: str, limits: Mapping[str, int]) -> bytes:
    asked = {key: str(value) for key, value in limits.items()}
    container = {"name": "main", "image": "none", "resources": {"limits": asked}}
    # GPUs are shared by software unless an instance is asked by its name.
    metadata = {"name": name, "annotations": {"nvidia.com/vgpu-mode": "hami-core"}}
    return msgspec.json.encode({"metadata": metadata, "spec": {"containers": [container]}})


def _settled(server: ApiServer) -> bool:
    """Whether each pod has a node, and the last one was told why it has none."""
    bound = sum(bool(pod["spec"].get("nodeName")) for pod in server.objects(paths.PODS))
    return bound == len(ASKED) - 1 and bool(server.objects(paths.events("default")))


def _events(server: ApiServer) -> None:
    print("  the pod's event, as the API server has it:")
    for event in server.objects(paths.events("default")):
        indent(f"{event['involvedObject']['name']}: {event['reason']}: {event['message']}")


def show(command: str, *, code: int = 0) -> None:
    """Run a command in sight; it has to end with this code."""
    print(f"  $ {command}", flush=True)
    answer = subprocess.run(command.split(), stdout=subprocess.PIPE, text=True, check=False)
    indent(answer.stdout)
    require(answer.returncode == code, command, answer.returncode)


if __name__ == "__main__":
    ended(main)
