"""The list of the driver's symbols against a real driver, and the totals that every query tells."""

from __future__ import annotations

import re

from tests.bench.figures import Figure
from tests.gpu.runs import BARE, ROOT, Slice, python, run


def measure(brief: bool = False) -> list[Figure]:
    """Outside a slice the list must be the driver's; inside a slice every query must tell the slice."""
    del brief  # it takes a second
    return [*_symbols(), *_totals()]


def _symbols() -> list[Figure]:
    answers = python(BARE, "abi_answers.py", str(ROOT / "native/abi/cuda.list"))
    if not answers:
        return []
    for difference in answers["differences"][:10]:
        print(difference)
    return [
        Figure("cuGetProcAddress: combinations of name, version and flags compared", answers["compared"], ""),
        Figure("  answers that differ from the list", len(answers["differences"]), "", "<= 0"),
        Figure("  symbols of the list that the driver lacks", len(answers["absent"]), "", "<= 0"),
    ]


def _totals() -> list[Figure]:
    seen = [int(line.split()[-2]) for line in run(Slice(memory=2048), "cardinfo").stdout.splitlines() if "otal" in line]
    shown = run(Slice(memory=2048), "nvidia-smi").stdout
    sizes = [int(size) for size in re.findall(r"/\s*(\d+)MiB", shown)]
    return [
        Figure(
            "cuMemGetInfo, cuDeviceTotalMem, NVML in a slice of 2048 MiB: the farthest off", _off(seen), "MiB", "<= 0"
        ),
        Figure("nvidia-smi in it: off", _off(sizes[:1]), "MiB", "<= 0"),
    ]


def _off(sizes: list[int]) -> int:
    return max((abs(size - 2048) for size in sizes), default=2048)
