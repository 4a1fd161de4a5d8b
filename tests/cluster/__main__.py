"""`make test-cluster`: the scenarios of this folder on a real Kubernetes, in namespaces of its own.

Where there are neither the programs of Kubernetes nor a Go to build them with it says so and ends well: nothing was
tested, and nothing is claimed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.cluster import binaries, namespace
from tests.cluster.images.workload import Lacking
from tests.cluster.node.cluster import why_not
from tests.cluster.ready import images

ROOT = Path(__file__).parents[2]
SKIPPED = "skipped, nothing was tested"


def main(arguments: list[str]) -> int:
    """Find or build the programs, make the namespaces and run the tests in them; arguments are pytest's.

    The exit code is that of the tests, 0 when there was nothing to test with, and 2 when the programs that should be
    there are not.
    """
    try:
        found = binaries.find(say=lambda line: print(line, flush=True))
    except binaries.Missing as missing:
        print(f"{missing}: {SKIPPED}")
        return 0
    except binaries.Broken as broken:
        print(broken)
        return 2
    if reason := namespace.why_not():
        print(f"{reason}: {SKIPPED}")
        return 0
    try:
        return _enclosed(found, {} if why_not() else images(found), arguments)
    except Lacking as lacking:
        print(lacking)
        return 2


def _enclosed(found: Path, archives: Mapping[str, Path], arguments: list[str]) -> int:
    """Run the tests; whatever they did, nothing of them may be left."""
    with tempfile.TemporaryDirectory(prefix="hetero-cluster-") as state:
        told = {
            **os.environ,
            "HETERO_KUBE_BIN": str(found),
            "HETERO_CLUSTER_STATE": state,
            "HETERO_CLUSTER_IMAGES": json.dumps({name: str(file) for name, file in archives.items()}),
        }
        code = namespace.run([sys.executable, "-m", "tests.cluster.inside", *arguments], told)
        left = list(Path(state).iterdir())
    if left:
        print(f"left behind: {', '.join(map(str, left))}")
    return code or bool(left)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
