"""What the driver takes for itself, step by step: MiB that the slice is charged, and MiB that NVML tells of it.

Prints JSON: a list of [step, result of the call, charged, taken].
"""

from __future__ import annotations

import ctypes
import json
import os
import struct
import threading
from pathlib import Path

MEMORY_BYTES = 4096 + 128  # of a region: what the slice holds of the first device (native/include/hetero/region.h)
LOCAL = 64512
FIND_LOCAL = f"""
  .local .align 16 .b8 depot[{LOCAL}]; .reg .b64 %a<4>; .reg .b32 %v<3>;
  ld.param.u64 %a0, [n]; mov.u64 %a1, depot; add.s64 %a2, %a1, %a0; mov.u32 %v0, %tid.x;
  st.local.u32 [%a2], %v0; st.local.u32 [%a1+128], %v0; ld.local.u32 %v1, [%a2+4];
  mov.u64 %a3, sink; st.global.u32 [%a3], %v1;"""


class Info(ctypes.Structure):
    """nvmlProcessInfo_t."""

    _fields_ = (("pid", ctypes.c_uint), ("used", ctypes.c_ulonglong), ("instances", ctypes.c_uint * 2))


cuda = ctypes.CDLL("libcuda.so.1")
nvml = ctypes.CDLL("libnvidia-ml.so.1")
steps: list[tuple[str, int, float, float]] = []


def charged() -> float:
    """MiB, as the slice's region says."""
    with Path(os.environ["CUDA_DEVICE_MEMORY_SHARED_CACHE"]).open("rb") as region:
        region.seek(MEMORY_BYTES)
        return struct.unpack("<Q", region.read(8))[0] / 2**20


def taken() -> float:
    """MiB, as NVML says; the slice's own processes are those that it lists."""
    device, count, infos = ctypes.c_void_p(), ctypes.c_uint(64), (Info * 64)()
    nvml.nvmlInit_v2()
    nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(device))
    nvml.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), infos)
    return sum(info.used for info in infos[: count.value]) / 2**20


def tell(step: str, result: int) -> None:
    """One line of the answer."""
    steps.append((step, result, charged(), taken()))


def image(variables: int, body: str = "") -> bytes:
    """A module in PTX with so many bytes of variables."""
    head = f".version 7.0\n.target sm_50\n.address_size 64\n.visible .global .align 8 .b8 sink[{variables}];\n"
    return f"{head}.visible .entry work(.param .u64 n)\n{{{body}\n  ret;\n}}\n".encode()


def load(module: ctypes.c_void_p, text: bytes) -> int:
    """Loads a module; the driver's answer."""
    return cuda.cuModuleLoadData(ctypes.byref(module), text)


def launch(function: ctypes.c_void_p) -> int:
    """Launches a kernel and waits for it."""
    number = ctypes.c_ulonglong(64)
    arguments = (ctypes.c_void_p * 1)(ctypes.addressof(number))
    return cuda.cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, None, arguments, None) or cuda.cuCtxSynchronize()


def together(context: ctypes.c_void_p, threads: int = 8, each: int = 3) -> int:
    """Many modules at once; how many could not be loaded."""
    gate, failed = threading.Barrier(threads), []

    def one() -> None:
        cuda.cuCtxSetCurrent(context)
        gate.wait()
        failed.extend(code for _ in range(each) if (code := load(ctypes.c_void_p(), image(32 << 20))))

    running = [threading.Thread(target=one) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return len(failed)


def main() -> None:
    """All steps."""
    context, second, module, function, library, kernel = (ctypes.c_void_p() for _ in range(6))
    cuda.cuInit(0)
    tell("primary context", cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    tell("second context", cuda.cuCtxCreate_v2(ctypes.byref(second), 0, 0))
    tell("destroyed", cuda.cuCtxDestroy_v2(second))
    cuda.cuCtxSetCurrent(context)
    tell("module of 256 MiB", load(module, image(256 << 20)))
    tell("unloaded", cuda.cuModuleUnload(module))
    code = image(256 << 20)
    tell("library loaded", cuda.cuLibraryLoadData(ctypes.byref(library), code, None, None, 0, None, None, 0))
    tell("its kernel looked up", cuda.cuLibraryGetKernel(ctypes.byref(kernel), library, b"work"))
    tell("and launched", launch(kernel))
    tell("library unloaded", cuda.cuLibraryUnload(library))
    tell("24 modules of 32 MiB by eight threads", together(context))
    load(module, image(8, FIND_LOCAL))
    looked = cuda.cuModuleGetFunction(ctypes.byref(function), module, b"work")
    tell("kernel with 63 KiB of local memory", looked or launch(function))
    tell("context reset", cuda.cuDevicePrimaryCtxReset_v2(0))


if __name__ == "__main__":
    main()
    print(json.dumps(steps))
