"""containerd's configuration on a node: CDI on, the pods' network, and the simulated driver in every container."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster.images import compiled
from tests.cluster.node.chips import Chips
from tests.cluster.node.network import Place

SOCKET = "/run/containerd/containerd.sock"
PAUSE = "hetero/pause:1"
SPEC = "/etc/containerd/base.json"
RUNC = "/opt/bin/runc"
"""Files and not mounts: runc starts itself from an overlay over its directory, which does not see mounts in there."""

PLUGINS = ("bridge", "loopback", "host-local")
"""Of the network, in ``/opt/cni/bin``."""


def install_runc(binaries: Path, bin_directory: Path, compiled_in: Path) -> None:
    """Put runc where containerd is told to find it, behind the program that makes it take any container."""
    bin_directory.mkdir(parents=True, exist_ok=True)
    shutil.copy2(compiled.program("runc", compiled_in, Path(__file__).parent / "programs"), bin_directory / "runc")
    shutil.copy2(binaries / "runc", bin_directory / "runc.real")


def configuration() -> str:
    """``/etc/containerd/config.toml``, version 3 (containerd 2.x)."""
    return f"""\
version = 3
root = "/var/lib/containerd"
state = "/run/containerd"

[grpc]
address = "{SOCKET}"

[plugins."io.containerd.cri.v1.images"]
snapshotter = "overlayfs"

[plugins."io.containerd.cri.v1.images".pinned_images]
sandbox = "{PAUSE}"

[plugins."io.containerd.cri.v1.runtime"]
enable_cdi = true
cdi_spec_dirs = ["/etc/cdi", "/var/run/cdi"]
disable_apparmor = true
# Without CAP_SYS_RESOURCE nobody can lower the score, and every pod would fail on it.
restrict_oom_score_adj = true

[plugins."io.containerd.cri.v1.runtime".cni]
bin_dirs = ["/opt/cni/bin"]
conf_dir = "/etc/cni/net.d"

[plugins."io.containerd.cri.v1.runtime".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
base_runtime_spec = "{SPEC}"

[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
SystemdCgroup = false
BinaryName = "{RUNC}"
"""


def base(ctr: Path, chips: Chips) -> str:
    """What every container starts from: containerd's own default, and the simulated driver.

    Args:
        ctr: The program that tells the default.
        chips: Of the node.
    """
    told = subprocess.run([ctr, "oci", "spec"], capture_output=True, text=True, check=True)
    spec: dict[str, Any] = json.loads(told.stdout)
    spec["process"]["env"] = [*_inherited(spec), *(f"{name}={value}" for name, value in chips.env.items())]
    spec["mounts"] += chips.mounts()
    return json.dumps(spec, indent=1)


def network(place: Place) -> str:
    """``/etc/cni/net.d/10-pods.conflist``: a bridge for the pods of this node, whose address is their way out."""
    ranges = [[{"subnet": place.pods}]]
    ipam = {"type": "host-local", "ranges": ranges, "routes": [{"dst": "0.0.0.0/0"}], "dataDir": "/run/cni"}
    bridge: Mapping[str, Any] = {"type": "bridge", "bridge": "pods0", "isGateway": True, "ipMasq": False, "ipam": ipam}
    return json.dumps({"cniVersion": "1.0.0", "name": "pods", "plugins": [bridge]}, indent=1)


def _inherited(spec: Mapping[str, Any]) -> list[str]:
    """A PATH is the image's own affair, or the runtime's where it has none."""
    return [word for word in spec["process"].get("env", []) if not word.startswith("PATH=")]
