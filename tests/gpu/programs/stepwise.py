"""Takes memory of a card step by step, and waits for a line before each: a context, a module, data, and back.

After each step it prints JSON: the step, and the MiB of data that it holds by its own count.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable

from small_cuda import call, retain

MIB = 1 << 20
MODULE = 256 * MIB
DATA = 1024 * MIB
IMAGE = f""".version 7.0
.target sm_50
.address_size 64
.visible .global .align 8 .b8 sink[{MODULE}];
.visible .entry work(.param .u64 n)
{{
  ret;
}}
"""

module, pointer = ctypes.c_void_p(), ctypes.c_ulonglong()

STEPS: tuple[tuple[str, int, Callable[[], None]], ...] = (
    ("a context", 0, retain),
    ("and a module of 256 MiB", 0, lambda: call("cuModuleLoadData", ctypes.byref(module), IMAGE.encode())),
    ("and 1024 MiB of data", DATA, lambda: call("cuMemAlloc_v2", ctypes.byref(pointer), ctypes.c_size_t(DATA))),
    ("without the module", DATA, lambda: call("cuModuleUnload", module)),
    ("without the data", 0, lambda: call("cuMemFree_v2", pointer)),
)

if __name__ == "__main__":
    for (step, data, take), _ in zip(STEPS, sys.stdin, strict=False):
        take()
        print(json.dumps({"step": step, "data": data // MIB}), flush=True)
    sys.stdin.readline()
