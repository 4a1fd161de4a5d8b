"""What PyTorch sees of a slice and how it is refused: ``torch_memory.py LIMIT_MIB`` prints what happened, as JSON."""

from __future__ import annotations

import json
import sys

import torch

STEP = 64 << 20


def main(limit_mib: int) -> None:
    """Total, a computation, memory until it is refused, and again after it was freed."""
    _, total = torch.cuda.mem_get_info()
    numbers = torch.ones(1 << 24, device="cuda")
    result = {
        "total_mib": total >> 20,
        "properties_mib": torch.cuda.get_device_properties(0).total_memory >> 20,
        "sum": float(numbers.sum()),
        "too_much": _refusal(limit_mib << 20),
        "granted_mib": _fill(),
    }
    torch.cuda.empty_cache()
    result["granted_again_mib"] = _fill()
    json.dump(result, sys.stdout)


def _refusal(size: int) -> str:
    try:
        torch.empty(size, dtype=torch.uint8, device="cuda")
    except torch.cuda.OutOfMemoryError as error:
        return type(error).__name__
    return "granted"


def _fill() -> int:
    held = []
    try:
        while True:
            held.append(torch.empty(STEP, dtype=torch.uint8, device="cuda"))
    except torch.cuda.OutOfMemoryError:
        return len(held) * STEP >> 20


if __name__ == "__main__":
    main(int(sys.argv[1]))
