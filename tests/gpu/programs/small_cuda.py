"""The few calls of the driver that the programs here need: a context, a kernel that takes time, its launches."""

from __future__ import annotations

import ctypes
import sys

cuda = ctypes.CDLL("libcuda.so.1")

IMAGE = """.version 5.0
.target sm_50
.address_size 64
.global .align 8 .u64 sink;
.visible .entry {name}(.param .u64 iterations)
{{
  .reg .pred %p<2>;
  .reg .u64 %rd<4>;
  ld.param.u64 %rd1, [iterations];
  mov.u64 %rd2, 0;
  mov.u64 %rd3, 1;
  setp.eq.u64 %p1, %rd1, 0;
  @%p1 bra DONE;
LOOP:
  mad.lo.u64 %rd3, %rd3, 6364136223846793005, %rd2;
  add.u64 %rd2, %rd2, 1;
  setp.lt.u64 %p1, %rd2, %rd1;
  @%p1 bra LOOP;
DONE:
  st.global.u64 [sink], %rd3;
  ret;
}}
"""
"""The loop of ``burn``; the store keeps it from being optimised away."""


def call(name: str, *arguments: object) -> None:
    """Call the driver; whatever it refuses ends the program."""
    if code := getattr(cuda, name)(*arguments):
        sys.exit(f"{name}: error {code}")


def retain() -> None:
    """The primary context of the first device, current to this thread."""
    context = ctypes.c_void_p()
    call("cuInit", 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
    call("cuCtxSetCurrent", context)


def kernel(name: str = "work") -> ctypes.c_void_p:
    """A kernel of one thread that loops as often as its only parameter says.

    Args:
        name: On the simulated card ``work`` takes that time, and any other one 10 us.
    """
    module, function = ctypes.c_void_p(), ctypes.c_void_p()
    call("cuModuleLoadData", ctypes.byref(module), IMAGE.format(name=name).encode())
    call("cuModuleGetFunction", ctypes.byref(function), module, name.encode())
    return function


def launch_words(function: ctypes.c_void_p, iterations: int) -> tuple[object, ...]:
    """All arguments of ``cuLaunchKernel``; they hold what they point to."""
    number = ctypes.c_ulonglong(iterations)
    parameters = (ctypes.c_void_p * 1)(ctypes.cast(ctypes.pointer(number), ctypes.c_void_p))
    parameters.number = number  # type: ignore[attr-defined]
    return (function, 1, 1, 1, 1, 1, 1, 0, None, parameters, None)
