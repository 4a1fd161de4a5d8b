"""The process whose end is a standing cluster's end, and the first process within its namespaces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.cluster import namespace, users
from tests.cluster.node import cgroups
from tests.cluster.node.cluster import Cluster

WITHIN = "within"
EVERY = 5.0
"""Seconds between two looks whether somebody wants it to be there still."""


def main(place: str, programs: str, asked: str, role: str = "") -> int:
    """Keep a cluster until a signal; its namespaces are made by the one, and the cluster within by the other."""
    if role != WITHIN:
        Path(place, "keeper").write_text(cgroups.name_of(os.getpid()))
        # What asks the keeper to end makes it end its child, and then it removes the control groups.
        return namespace.run([sys.executable, "-m", "tests.cluster.keeper", place, programs, asked, WITHIN])
    state = Path(place, "state")
    namespace.enter(state)
    told = json.loads(asked)
    machines = {name: Path(file) for name, file in told["machines"].items()}
    images = {name: Path(file) for name, file in told["images"].items()}
    cluster = Cluster(Path(programs), state / "cluster", names=list(machines), images=images)
    try:
        cluster.up()
        cluster.add(machines)
    except BaseException:
        print(cluster.tails(), flush=True)
        raise
    _tell(cluster, Path(place))
    _wait(Path(place, "keeper"))
    return 0


def _tell(cluster: Cluster, place: Path) -> None:
    """Write what those outside need, the file that they wait for last."""
    authority = place / "ca.crt"
    shutil.copy2(cluster.plane.authority.pair.certificate, authority)
    users.kubeconfig(place / "kubeconfig", cluster.plane.server, users.ADMIN, authority)
    facts = {
        "net": str(Path("/proc/self/ns/net").readlink()),
        "nodes": {name: node.pid for name, node in cluster.nodes.items()},
    }
    half = place / "facts.half"
    half.write_text(json.dumps(facts))
    half.rename(place / "facts.json")


def _wait(keeper: Path) -> None:
    """Until nobody wants it; meanwhile collect, as a first process must, those whose parents are gone."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    while keeper.exists():
        time.sleep(EVERY)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
