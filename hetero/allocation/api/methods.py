"""The calls between a device plugin and the kubelet, each with its messages.

Source: Kubernetes documentation, "Device Plugins" (API v1beta1, also of the sockets' place).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from hetero.allocation.api import deviceplugin_pb2 as plugin

VERSION = "v1beta1"
"""Of the device plugin's API; the kubelet refuses another."""

FOLDER = "/var/lib/kubelet/device-plugins"
"""Where the kubelet and its plugins have their sockets, whatever the kubelet's ``--root-dir``."""

KUBELET = "kubelet.sock"
"""The kubelet's socket in that folder."""

HEALTHY = "Healthy"
UNHEALTHY = "Unhealthy"


class Message(Protocol):
    """What every generated message can do."""

    def SerializeToString(self) -> bytes:  # noqa: N802  # protobuf's name
        """The bytes on the wire."""

    @classmethod
    def FromString(cls, data: bytes) -> Self:  # noqa: N802
        """The message of these bytes."""


Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True)
class Method(Generic[Q, A]):
    """One call.

    Attributes:
        service: Its service, with the package.
        name: Its own name.
        request: What is sent.
        answer: What comes back, once or, from a streaming call, again and again.
    """

    service: str
    name: str
    request: type[Q]
    answer: type[A]


_PLUGIN = f"{VERSION}.DevicePlugin"

REGISTER = Method(f"{VERSION}.Registration", "Register", plugin.RegisterRequest, plugin.Empty)
OPTIONS = Method(_PLUGIN, "GetDevicePluginOptions", plugin.Empty, plugin.Options)
LIST_AND_WATCH = Method(_PLUGIN, "ListAndWatch", plugin.Empty, plugin.ListAndWatchResponse)
ALLOCATE = Method(_PLUGIN, "Allocate", plugin.AllocateRequest, plugin.AllocateResponse)
PRE_START = Method(_PLUGIN, "PreStartContainer", plugin.PreStartContainerRequest, plugin.PreStartContainerResponse)
