"""An image of kube-scheduler, as a cluster has one: the program that the test cluster's own control plane runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from tests.cluster.images import closure
from tests.cluster.images.oci import Image
from tests.cluster.images.tree import Tree


def scheduler(binaries: Path) -> Image:
    """kube-scheduler, on the PATH as in the image that a cluster runs it from; its version is the tag."""
    program = binaries / "kube-scheduler"
    tree = Tree()
    tree.file("/usr/local/bin/kube-scheduler", program.resolve(), 0o755)
    closure.add(tree, [program])  # nothing, unless somebody built it otherwise than we do
    search = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    return Image(
        f"hetero/kube-scheduler:{version(program)}", [tree], ["kube-scheduler"], env=search, user="65532:65532"
    )


def version(program: Path) -> str:
    """What a program of Kubernetes says that it is, e.g. ``v1.36.3``."""
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v[0-9][0-9A-Za-z.-]*", answer)
    if not found:
        raise ValueError(f"{program} --version says {answer!r}, which has no version")
    return found[0]
