"""The side of a kubelet that faces its plugins: who registered, and what they say to have."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from hetero.allocation.api import deviceplugin_pb2 as messages
from hetero.allocation.api import methods
from hetero.allocation.api.door import Client, Refusal
from hetero.errors import KubeletError

CALL = 10.0
"""Seconds that a plugin has for a call; the real kubelet gives PreStartContainer 30."""


class Endpoint:
    """One registered plugin, and what it offers.

    Args:
        resource: Its resource.
        socket: Where it listens.
        changed: Called when its list changed or its stream ended.
        ended: Called when its stream ended.
    """

    def __init__(
        self, resource: str, socket: Path, changed: Callable[[], None], ended: Callable[[Endpoint], None]
    ) -> None:
        self.resource = resource
        self.client = Client(socket)
        self.health: dict[str, str] = {}
        self.connected = True
        self.lists = 0
        self._changed = changed
        self._ended = ended
        self.options = self.client.call(methods.OPTIONS, messages.Empty(), CALL)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        """Follow its list."""
        self._thread.start()

    def healthy(self) -> list[str]:
        """The ids that may be given out, sorted."""
        return sorted(one for one, health in self.health.items() if health == methods.HEALTHY and self.connected)

    def allocate(self, ids: Iterable[str]) -> messages.ContainerAllocateResponse:
        """Ask for one container."""
        request = messages.AllocateRequest(container_requests=[messages.ContainerAllocateRequest(devices_ids=ids)])
        answer: messages.ContainerAllocateResponse
        [answer] = self.client.call(methods.ALLOCATE, request, CALL).container_responses
        return answer

    def pre_start(self, ids: Iterable[str], seconds: float = CALL) -> None:
        """Say that a container is about to start, if the plugin wants to know."""
        if self.options.pre_start_required:
            self.client.call(methods.PRE_START, messages.PreStartContainerRequest(devices_ids=ids), seconds)

    def disconnect(self) -> None:
        """Close the connection; its devices are unhealthy from now on."""
        self.connected = False
        self.client.close()
        self._changed()

    def join(self) -> None:
        """Wait until nothing of it runs any more."""
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(CALL)

    def _watch(self) -> None:
        with contextlib.suppress(KubeletError):
            for answer in self.client.stream(methods.LIST_AND_WATCH, messages.Empty()):
                self.health = {device.id: device.health for device in answer.devices}
                self.lists += 1
                self._changed()
        self._ended(self)


class Endpoints:
    """All registered plugins, by resource, as the kubelet keeps them.

    Args:
        folder: Of the sockets.
        changed: Called when something changed.
    """

    def __init__(self, folder: Path, changed: Callable[[], None]) -> None:
        self.registrations: list[str] = []
        self.refuse = ""
        self._folder = folder
        self._changed = changed
        self._lock = threading.Lock()
        self._current: dict[str, Endpoint] = {}
        self._known: dict[str, Endpoint] = {}

    def register(self, request: messages.RegisterRequest) -> messages.Empty:
        """Take a plugin: connect to it first, as the kubelet does before it answers."""
        if self.refuse or request.version != methods.VERSION or "/" not in request.resource_name:
            raise Refusal(self.refuse or f"{request.version} {request.resource_name}: this kubelet has another version")
        resource = request.resource_name
        try:
            endpoint = Endpoint(resource, self._folder / request.endpoint, self._changed, self._over)
        except KubeletError as error:
            raise Refusal(str(error)) from error
        with self._lock:
            self.registrations.append(resource)
            self._current[resource] = self._known[resource] = endpoint
        endpoint.start()
        self._changed()
        return messages.Empty()

    def of(self, resource: str) -> Endpoint | None:
        """The plugin of a resource that registered last, connected or not."""
        with self._lock:
            return self._known.get(resource)

    def close(self) -> None:
        """Disconnect all."""
        with self._lock:
            everyone = list(self._known.values())
            self._current.clear()
            self._known.clear()
        for endpoint in everyone:
            endpoint.disconnect()
        for endpoint in everyone:
            endpoint.join()

    def _over(self, ended: Endpoint) -> None:
        # As in kubelet 1.36 (plugin/v1beta1/handler.go, runClient): who is current when a stream ends is cut off, even
        # if it is another that registered since.
        with self._lock:
            current = self._current.pop(ended.resource, None)
        if current is not None:
            current.disconnect()
