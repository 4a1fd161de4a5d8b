"""`make cluster-up`: a whole Kubernetes with simulated chips that stays until `make cluster-down`."""

from __future__ import annotations

import sys
from pathlib import Path

from hetero.errors import HeteroError
from tests.cluster import binaries, namespace
from tests.cluster.images.workload import Lacking
from tests.cluster.node import chips, machines
from tests.cluster.node.cluster import why_not
from tests.cluster.ready import images
from tests.cluster.release import WORKLOAD
from tests.cluster.standing import PLACE, Standing, Trouble


def main(files: list[str], standing: Standing) -> int:
    """Start it, unless it is there already, and say how to use it.

    Args:
        files: Machine files, a node for each; the nodes of the scenarios when there are none.
        standing: The cluster that is meant.
    """
    wanted = machines.named(files)
    if standing.is_up:
        if sorted(standing.nodes()) != sorted(wanted):
            print(f"a cluster is up with other nodes, {', '.join(standing.nodes())}; end it first: make cluster-down")
            return 1
        print(_usage(standing, "is up already"))
        return 0
    try:
        for file in wanted.values():
            chips.described(file)
        if reason := namespace.why_not() or why_not():
            raise Trouble(reason)
        programs = binaries.find(say=lambda line: print(line, flush=True))
        print(f"starting {', '.join(wanted)}", flush=True)
        standing.up(programs, images(programs), wanted)
    except (binaries.Missing, binaries.Broken, Lacking, HeteroError, Trouble) as trouble:
        print(trouble)
        return 2
    print(_usage(standing, "is up"))
    return 0


def _usage(standing: Standing, state: str) -> str:
    try:
        place = standing.place.relative_to(Path.cwd())
    except ValueError:
        place = standing.place
    first = standing.nodes()[0]
    return f"""\
The cluster {state}: {", ".join(standing.nodes())}.

  {place}/kubectl get nodes
  {place}/kubectl label node {first} gpu=on
  {place}/helm install hetero charts/hetero -n kube-system --set vendors.nvidia.enabled=true
  {place}/hetero explain pod NAME
  {place}/node {first} ls /dev        a command on that node

hetero's images are on the nodes, and no node reaches a registry: pods need the image {WORKLOAD}, which has cardinfo,
fill, burn, smi and a few commands. An example runs as

  sed 's,image: .*,image: {WORKLOAD},' examples/nvidia/gpu-pod.yaml | {place}/kubectl apply -f -
  {place}/kubectl exec gpu-pod -- cardinfo

`make cluster-down` ends it and removes every trace."""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Standing(PLACE)))
