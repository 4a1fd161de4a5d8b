"""`make bench`: measure, print a table, and write build/bench/<name>.json. Nothing here fails a build."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import sysconfig
from pathlib import Path

from tests.bench.figures import Figure, table, write

ROOT = Path(__file__).parents[2]
BENCHES = ("agent", "dashboard", "placement", "prestart", "slices", "native")


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all."""
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    sys.path.append(str(ROOT / "tests/native"))  # the simulated machine of the native tests
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    for name in names or BENCHES:
        figures: list[Figure] = importlib.import_module(f"tests.bench.{name}").measure()
        write(name, figures, ROOT / "build/bench")
        print(f"\n{name}\n{table(figures)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
