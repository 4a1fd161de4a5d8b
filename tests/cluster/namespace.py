"""A place of its own for a cluster: network, mounts and processes in namespaces that end with the command run in them.

Nothing in there listens on or reaches a real address, two runs cannot collide, and when the command ends (however it
ends) the kernel ends every process that it left, and with them the network and the files of the run. Needs
root or a kernel that lets users make namespaces.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.node import cgroups

ADDRESS = "10.87.0.1"
"""Of this side of the network; an API server does not advertise a loopback address."""

INSIDE = "HETERO_CLUSTER_INSIDE"
"""Set for what runs in the namespaces."""

_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _UP = 0x8914, 0x8916, 0x891C, 0x1


def command(arguments: Sequence[str]) -> list[str]:
    """The command line that runs ``arguments`` as the first process of new namespaces."""
    user = ["--map-root-user"] if os.getuid() else []
    return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *arguments]


def why_not() -> str:
    """Why namespaces cannot be made here, in a few words; empty when they can."""
    try:
        done = subprocess.run(command(["true"]), capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "there is no unshare, which comes with util-linux"
    return (
        ""
        if done.returncode == 0
        else f"namespaces need root, or a kernel that gives them to users: {done.stderr.strip()}"
    )


def run(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> int:
    """Run a command in namespaces of its own and return its exit code; a signal that ends us ends all of it.

    Control groups that it made below this run's are removed, which no kernel does; and those that earlier runs left
    because they were killed.
    """
    held = ["setpriv", "--pdeathsig", "KILL", *command(arguments)]
    group = cgroups.name_of(os.getpid())
    cgroups.sweep()
    try:
        with subprocess.Popen(held, env={**environment, INSIDE: "1", cgroups.RUN: group}) as process:
            return _relayed(process)
    finally:
        if left := cgroups.remove(group):
            raise OSError(f"control groups are left: {', '.join(map(str, left))}")


def enter(state: Path) -> None:
    """Set up the inside: the network is there, and ``state`` is an empty directory that ends with the namespaces."""
    bring_up_loopback()
    state.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "hetero-cluster", str(state)], check=True)


def bring_up_loopback() -> None:
    """Bring up ``lo`` with :data:`ADDRESS` beside its own, as ``ip link set lo up; ip address add … dev lo``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _UP))
        for request, address in ((_SIOCSIFADDR, ADDRESS), (_SIOCSIFNETMASK, "255.255.255.255")):
            told = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(handle, request, struct.pack("16s16s", b"lo:1", told))


def left_in(namespace: str) -> list[int]:
    """The processes of a network namespace, e.g. ``net:[4026531840]``, as far as we may look."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((place / "ns/net").readlink()) == namespace:
                found.append(int(place.name))
    return found


def _relayed(process: subprocess.Popen[bytes]) -> int:
    """Wait for it. ``unshare`` blocks SIGTERM while it waits, so what asks us to end makes it end; ^C comes to all."""
    before = {
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.kill()),
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
    }
    try:
        return process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
