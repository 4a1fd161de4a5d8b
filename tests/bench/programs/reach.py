"""reach WAY [ARGUMENT...]: takes as much device memory as it can, in a way that has led round some limiter before.

It says `reached`, and keeps what it has until its standard input ends. What it got is to be seen on the card.
"""

from __future__ import annotations

import ctypes
import os
import socket
import sys
from collections.abc import Callable

MIB = 1 << 20
MOST = 1024  # steps; more than any simulated card holds

pointer, number, size = ctypes.c_void_p, ctypes.c_ulonglong, ctypes.c_size_t
loader = ctypes.CDLL(None)
driver: ctypes.CDLL


class Properties(ctypes.Structure):
    """CUmemAllocationProp, with a file descriptor as the form in which it can be shared."""

    _fields_ = [
        ("type", ctypes.c_int),
        ("handles", ctypes.c_int),
        ("place", ctypes.c_int),
        ("device", ctypes.c_int),
        ("rest", ctypes.c_ulonglong * 2),
    ]


class Handle(ctypes.Structure):
    """CUipcMemHandle."""

    _fields_ = [("bytes", ctypes.c_char * 64)]


class Imported(ctypes.Structure):
    """CUDA_EXTERNAL_MEMORY_HANDLE_DESC."""

    _fields_ = [("type", ctypes.c_int), ("handle", ctypes.c_int * 5), ("size", number), ("rest", ctypes.c_uint * 18)]


class Part(ctypes.Structure):
    """CUDA_EXTERNAL_MEMORY_BUFFER_DESC."""

    _fields_ = [("offset", number), ("size", number), ("rest", ctypes.c_uint * 18)]


def call(name: str, *arguments: object) -> None:
    """Call the driver; the program ends where that fails."""
    code = getattr(driver, name)(*arguments)
    if code:
        sys.exit(f"{name}: {code}")


def use_device() -> None:
    """The first device's primary context, current."""
    global driver  # noqa: PLW0603
    driver = ctypes.CDLL("libcuda.so.1")
    context = pointer()
    call("cuInit", 0)
    call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
    call("cuCtxSetCurrent", context)


def until_refused(step: Callable[[], int]) -> None:
    """Again and again."""
    for _ in range(MOST):
        if step():
            return


def allocate(mib: int = 64) -> int:
    """CuMemAlloc, kept."""
    return int(driver.cuMemAlloc_v2(ctypes.byref(number()), size(mib * MIB)))


def create(device: int, handle: number) -> int:
    """CuMemCreate of 64 MiB that can be exported."""
    return int(
        driver.cuMemCreate(ctypes.byref(handle), size(64 * MIB), ctypes.byref(Properties(1, 1, 1, device)), number(0))
    )


def exported() -> None:
    """Physical memory of which nothing is left but a file descriptor."""
    use_device()

    def step() -> int:
        handle, descriptor = number(), ctypes.c_int()
        code = create(0, handle)
        if not code:
            call("cuMemExportToShareableHandle", ctypes.byref(descriptor), handle, 1, number(0))
            call("cuMemRelease", handle)
        return code

    until_refused(step)


def elsewhere() -> None:
    """Physical memory of a device that is not the current one."""
    use_device()
    until_refused(lambda: create(1, number()))


def opened() -> None:
    """Memory of another process of the slice: opened, freed as if it were ours, closed; then our own."""
    here, there = socket.socketpair()
    if os.fork() == 0:  # before the driver is touched, as it cannot be used in a child
        use_device()
        address, handle = number(), Handle()
        call("cuMemAlloc_v2", ctypes.byref(address), size(512 * MIB))
        call("cuIpcGetMemHandle", ctypes.byref(handle), address)
        there.send(bytes(handle))
        sys.stdin.read()
        os._exit(0)
    handle, address = Handle.from_buffer_copy(here.recv(64)), number()
    use_device()
    for _ in range(8):
        call("cuIpcOpenMemHandle_v2", ctypes.byref(address), handle, 1)
        driver.cuMemFree_v2(address)
        driver.cuIpcCloseMemHandle(address)
    until_refused(allocate)


def imported() -> None:
    """Memory of another library: imported, freed as if it were ours; then our own."""
    use_device()
    for _ in range(8):
        memory, address = pointer(), number()
        call("cuImportExternalMemory", ctypes.byref(memory), ctypes.byref(Imported(1, (ctypes.c_int * 5)(), 512 * MIB)))
        call("cuExternalMemoryGetMappedBuffer", ctypes.byref(address), memory, ctypes.byref(Part(0, 512 * MIB)))
        driver.cuMemFree_v2(address)
        call("cuDestroyExternalMemory", memory)
    until_refused(allocate)


def new_pool() -> ctypes.c_void_p:
    """A pool of the first device's memory: CUmemPoolProps of pinned memory in the device of number 0."""
    pool = pointer()
    call("cuMemPoolCreate", ctypes.byref(pool), ctypes.byref((number * 32)(1, 1)))
    return pool


def per_thread() -> None:
    """The asynchronous calls of a stream per thread, from the default pool and from one of the program's own."""
    use_device()
    pool = new_pool()
    until_refused(lambda: int(driver.cuMemAllocAsync_ptsz(ctypes.byref(number()), size(64 * MIB), None)))
    until_refused(lambda: int(driver.cuMemAllocFromPoolAsync_ptsz(ctypes.byref(number()), size(64 * MIB), pool, None)))


def destroyed_pools() -> None:
    """Pools that are destroyed while memory of theirs is in use."""
    use_device()

    def step() -> int:
        pool = new_pool()
        code = driver.cuMemAllocFromPoolAsync(ctypes.byref(number()), size(64 * MIB), pool, None)
        call("cuMemPoolDestroy", pool)
        return int(code)

    until_refused(step)


def wrong_frees() -> None:
    """Memory that is freed twice, and by addresses within it: the driver refuses, and nothing is given back."""
    use_device()
    for bytes_each in (4096, 3 * MIB, 64 * MIB):
        address, other = number(), number()
        call("cuMemAlloc_v2", ctypes.byref(other), size(bytes_each))
        call("cuMemAlloc_v2", ctypes.byref(address), size(bytes_each))
        for offset in (8, 512, 1024, 2 * MIB):
            if offset < bytes_each:
                driver.cuMemFree_v2(number(address.value + offset))
                driver.cuMemFreeAsync(number(address.value + offset), None)
        call("cuMemFree_v2", address)
        for _ in range(40):
            driver.cuMemFree_v2(address)
            driver.cuMemFreeAsync(address, None)
            driver.cuIpcCloseMemHandle(address)
    until_refused(allocate)


def released_handles() -> None:
    """Physical memory that is mapped, of which handles are taken anew and released, once too often."""
    use_device()

    def step() -> int:
        handle, again, address = number(), number(), number()
        code = create(0, handle)
        if not code:
            call("cuMemAddressReserve", ctypes.byref(address), size(64 * MIB), size(0), number(0), number(0))
            call("cuMemMap", address, size(64 * MIB), size(0), handle, number(0))
            call("cuMemRetainAllocationHandle", ctypes.byref(again), address)
            for _ in range(6):
                driver.cuMemRelease(handle)
        return code

    until_refused(step)


def contexts() -> None:
    """A context beside the first, and another."""
    use_device()
    until_refused(lambda: int(driver.cuCtxCreate_v2(ctypes.byref(pointer()), 0, 0)))


IMAGE = b""".version 7.0
.target sm_50
.address_size 64
.global .align 8 .b8 sink[134217728];
.visible .entry nothing() { ret; }
"""


def modules() -> None:
    """Modules with variables of 128 MiB."""
    use_device()
    until_refused(lambda: int(driver.cuModuleLoadData(ctypes.byref(pointer()), IMAGE)))


def libraries() -> None:
    """The same as libraries, which are loaded when they are first used."""
    use_device()

    def step() -> int:
        library, kernel, function = pointer(), pointer(), pointer()
        call("cuLibraryLoadData", ctypes.byref(library), IMAGE, None, None, 0, None, None, 0)
        code = driver.cuLibraryGetKernel(ctypes.byref(kernel), library, b"nothing")
        code = code or driver.cuKernelGetFunction(ctypes.byref(function), kernel)
        return int(code or driver.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, None, None, None))

    until_refused(step)


def stack() -> None:
    """Local memory for each thread that the device can run."""
    use_device()
    for kib in range(1, 512):
        if driver.cuCtxSetLimit(0, size(kib << 10)):
            return


def management_first() -> None:
    """The management library before the driver, as frameworks do."""
    if ctypes.CDLL("libnvidia-ml.so.1").nvmlInit_v2():
        sys.exit("nvmlInit_v2 failed")
    use_device()
    until_refused(allocate)


def plain() -> None:
    """CuMemAlloc."""
    use_device()
    until_refused(allocate)


def by_address(find: Callable[[bytes], int]) -> None:
    """The driver's functions as ``find`` finds them."""
    forms = {
        "cuInit": (ctypes.c_uint,),
        "cuDevicePrimaryCtxRetain": (pointer, ctypes.c_int),
        "cuCtxSetCurrent": (pointer,),
        "cuMemAlloc_v2": (pointer, size),
    }
    found = {name: ctypes.CFUNCTYPE(ctypes.c_int, *form)(find(name.encode())) for name, form in forms.items()}
    context = pointer()
    if found["cuInit"](0) or found["cuDevicePrimaryCtxRetain"](ctypes.addressof(context), 0):
        sys.exit("no context")
    found["cuCtxSetCurrent"](context)
    until_refused(lambda: int(found["cuMemAlloc_v2"](ctypes.addressof(number()), 64 * MIB)))


def next_lookup(asker: str, name: str) -> None:
    """The next definition of dlsym or dlvsym, asked for with a version by a library behind ours."""
    ask = ctypes.CDLL(asker).ask_next_version
    ask.restype = ctypes.c_void_p
    address = ask(name.encode(), b"GLIBC_2.2.5") or ask(name.encode(), b"GLIBC_2.34")
    lookup = ctypes.CFUNCTYPE(pointer, pointer, ctypes.c_char_p)(address)
    loader.dlopen.restype = pointer
    handle = loader.dlopen(b"libcuda.so.1", 2)
    by_address(lambda symbol: lookup(handle, symbol))


def namespace() -> None:
    """The driver in a namespace of its own, and what dlsym finds in it."""
    loader.dlmopen.restype = loader.dlsym.restype = pointer
    handle = pointer(loader.dlmopen(ctypes.c_long(-1), b"libcuda.so.1", 2))
    by_address(lambda symbol: loader.dlsym(handle, symbol))


def lookup() -> None:
    """Every function by cuGetProcAddress, with the flag for a stream per thread."""
    use_device()

    def find(symbol: bytes) -> int:
        address, status = pointer(), ctypes.c_int()
        name = symbol.removesuffix(b"_v2")
        call("cuGetProcAddress_v2", name, ctypes.byref(address), 12000, number(2), ctypes.byref(status))
        return address.value or 0

    by_address(find)


def deep(library: str, function: str) -> None:
    """A library that is opened with RTLD_DEEPBIND."""
    until = getattr(ctypes.CDLL(library, mode=os.RTLD_LAZY | os.RTLD_DEEPBIND), function)
    until()


WAYS = {
    "exported": exported,
    "elsewhere": elsewhere,
    "opened": opened,
    "imported": imported,
    "per-thread": per_thread,
    "destroyed-pools": destroyed_pools,
    "wrong-frees": wrong_frees,
    "released-handles": released_handles,
    "contexts": contexts,
    "modules": modules,
    "libraries": libraries,
    "stack": stack,
    "management-first": management_first,
    "plain": plain,
    "next": next_lookup,
    "namespace": namespace,
    "lookup": lookup,
    "deep": deep,
}

if __name__ == "__main__":
    WAYS[sys.argv[1]](*sys.argv[2:])
    print("reached", flush=True)
    sys.stdin.read()
