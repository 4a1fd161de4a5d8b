"""`make bench`: measure, print a table, and write build/bench/<name>.json. Nothing here fails a build."""

from __future__ import annotations

import os
import platform
import sys
import sysconfig

from tests.bench import placement, slices
from tests.bench.figures import table, write

BENCHES = {"placement": placement.measure, "slices": slices.measure}


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for name in names or BENCHES:
        figures = BENCHES[name]()
        write(name, figures, slices.ROOT / "build/bench")
        print(f"\n{name}\n{table(figures)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
