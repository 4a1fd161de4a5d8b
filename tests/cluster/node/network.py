"""The network of a run with nodes: one bridge for all nodes, and behind each node the network of its pods.

Made with ``ip``, within the run's own network namespace; a node's end lies in the node's. There is neither masquerading
nor a proxy: pods of all nodes reach each other and the API server by plain routes, and a service's address leads
nowhere but for that of the API server itself, which the bridge has.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

BRIDGE = "hetero0"
GATEWAY = "10.87.1.1"
SERVICES = "10.96.0.0/16"
SERVICE = "10.96.0.1"
"""Of the API server for pods: the first of the services' range."""


@dataclass(frozen=True)
class Place:
    """Where a node is in the network.

    Attributes:
        number: 1 to 200, unique among the nodes.
    """

    number: int

    @property
    def address(self) -> str:
        """Of the node."""
        return f"10.87.1.{self.number + 10}"

    @property
    def pods(self) -> str:
        """The network of its pods."""
        return f"10.88.{self.number}.0/24"

    @property
    def link(self) -> str:
        """The bridge's end of its cable."""
        return f"node{self.number}"


def up() -> None:
    """Make the bridge, with the addresses by which nodes and pods reach the API server."""
    if Path("/sys/class/net", BRIDGE).exists():
        return
    _ip("link", "add", BRIDGE, "type", "bridge")
    _ip("address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
    _ip("address", "add", f"{SERVICE}/32", "dev", BRIDGE)
    _ip("link", "set", BRIDGE, "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def plug_in(place: Place, pid: int) -> None:
    """Give the node whose namespaces ``pid`` is in its address, and everybody the way to its pods.

    Args:
        place: Of the node; whatever had it before is gone.
        pid: Of a process in the node's network namespace.
    """
    peer = f"{place.link}-in"
    unplug(place)
    _ip("link", "add", place.link, "type", "veth", "peer", "name", peer, "netns", str(pid))
    _ip("link", "set", place.link, "master", BRIDGE)
    _ip("link", "set", place.link, "up")
    for words in (
        ["link", "set", "lo", "up"],
        ["link", "set", peer, "name", "eth0"],
        ["address", "add", f"{place.address}/24", "dev", "eth0"],
        ["link", "set", "eth0", "up"],
        ["route", "add", "default", "via", GATEWAY],
    ):
        _ip(*words, pid=pid)
    _ip("route", "replace", place.pods, "via", place.address)


def unplug(place: Place) -> None:
    """Take its cable away, if there is one; the routes that lead through it stay for when it comes back."""
    if Path("/sys/class/net", place.link).exists():
        _ip("link", "delete", place.link)


def _ip(*words: str, pid: int | None = None) -> None:
    within = ["nsenter", "--target", str(pid), "--net"] if pid else []
    done = subprocess.run([*within, "ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"
