"""A kubelet's device manager, for tests: real sockets, real gRPC, and its checkpoint in the real format.

It registers plugins, follows their lists, gives out slots, keeps its checkpoint before it says that a container
starts, forgets all plugins and removes their sockets when it starts anew, and keeps the defects of the real one that a
plugin has to live with.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hetero.allocation import checkpoint
from hetero.allocation.api import methods
from hetero.allocation.api.door import Server, sockets
from hetero.allocation.held import Held
from hetero.errors import KubeletError
from hetero.testing.kubelet_endpoints import Endpoint, Endpoints


class Rejected(Exception):
    """The pod was not admitted: ``UnexpectedAdmissionError``, for good."""


@dataclass(frozen=True)
class _Given:
    held: Held
    answer: bytes


class FakeKubelet:
    """The part of a kubelet that deals with device plugins.

    Args:
        folder: For the sockets and the checkpoint; what its path has, a socket's 107 bytes must have room for.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkpoint = folder / checkpoint.NAME
        self._given: dict[tuple[str, str, str], _Given] = {}
        self._changed = threading.Condition()
        self._server: Server | None = None
        self._pool = ThreadPoolExecutor(16)
        self.endpoints = Endpoints(folder, self._tell)

    def __enter__(self) -> FakeKubelet:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Come up: all sockets in the folder are removed first, whoever listens there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for socket in sockets(self.folder):
            socket.unlink()
        self._server = Server(self.folder / methods.KUBELET, self._pool)
        self._server.add(methods.REGISTER, self.endpoints.register)
        self._server.start()

    def stop(self) -> None:
        """Go down; the checkpoint stays, registrations do not."""
        if self._server is not None:
            self._server.stop()
        self._server = None
        self.endpoints.close()

    def close(self) -> None:
        """Go down for good."""
        self.stop()
        self._pool.shutdown()

    def restart(self) -> None:
        """Go down and come up; what containers hold is as before."""
        self.stop()
        self.start()

    def wait(self, condition: Callable[[], bool], seconds: float = 20.0) -> bool:
        """Wait until ``condition``, looked at whenever a plugin says something, and now and then."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not condition() and time.monotonic() < deadline:
                self._changed.wait(0.05)
            return condition()

    def allocatable(self, resource: str) -> int:
        """Healthy slots of a resource, taken or not; 0 when no plugin is connected."""
        endpoint = self.endpoints.of(resource)
        return len(endpoint.healthy()) if endpoint else 0

    def admit(self, pod_uid: str, container: str, resource: str, count: int = 1, reuse: str = "") -> Held:
        """Give slots to a container, and keep that in the checkpoint.

        Args:
            pod_uid: The pod's.
            container: Its name.
            resource: Of the plugin.
            count: How many slots.
            reuse: An init container of the pod that ends before: its slots are taken first.

        Raises:
            Rejected: There are not as many healthy slots, or the plugin refused.
        """
        endpoint = self._connected(resource)
        ids = self._chosen(endpoint, pod_uid, count, reuse)
        try:
            answer = endpoint.allocate(ids)
        except KubeletError as error:
            raise Rejected(f"Allocate failed due to rpc error: {error.reason}") from error
        held = Held(
            pod_uid=pod_uid,
            container=container,
            resource=resource,
            ids=tuple(ids),
            cdi_names=tuple(device.name for device in answer.cdi_devices),
        )
        self._given[pod_uid, container, resource] = _Given(held, answer.SerializeToString())
        self.write_checkpoint()
        return held

    def start_container(self, pod_uid: str, container: str, seconds: float = 10.0) -> None:
        """Say to all plugins concerned that the container is about to start.

        Raises:
            KubeletError: A plugin refused; ``reason`` is its sentence, which the user would read.
        """
        for held in self.held():
            if (held.pod_uid, held.container) == (pod_uid, container):
                # The kubelet keeps ids as a set: they come in any order.
                self._connected(held.resource).pre_start(reversed(held.ids), seconds)

    def forget(self, pod_uid: str) -> None:
        """The pod is gone: its slots are free. No plugin is told."""
        for key in [key for key in self._given if key[0] == pod_uid]:
            del self._given[key]
        self.write_checkpoint()

    def held(self) -> list[Held]:
        """All that is given out."""
        return [given.held for given in list(self._given.values())]

    def write_checkpoint(self) -> None:
        """Write the file as it should be, by a rename."""
        entries = [_entry(given) for given in list(self._given.values())]
        data: dict[str, object] = {"PodDeviceEntries": entries or None, "RegisteredDevices": {}}
        file = {"Data": data, "Checksum": zlib.crc32(json.dumps(data).encode())}
        new = self.checkpoint.with_suffix(f".{threading.get_ident()}")
        new.write_text(json.dumps(file))
        new.rename(self.checkpoint)

    def _connected(self, resource: str) -> Endpoint:
        endpoint = self.endpoints.of(resource)
        if endpoint is None:
            raise Rejected(f"cannot allocate unregistered device {resource}")
        return endpoint

    def _chosen(self, endpoint: Endpoint, pod_uid: str, count: int, reuse: str) -> list[str]:
        own = self._given.get((pod_uid, reuse, endpoint.resource))
        first: Sequence[str] = own.held.ids if own else ()
        taken = {one for held in self.held() if held.resource == endpoint.resource for one in held.ids}
        free = [*first, *(one for one in endpoint.healthy() if one not in taken)]
        if len(free) < count:
            raise Rejected(f"requested {count} of {endpoint.resource}, but {len(free)} are free and healthy")
        return sorted(free[:count])

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _entry(given: _Given) -> dict[str, object]:
    return {
        "PodUID": given.held.pod_uid,
        "ContainerName": given.held.container,
        "ResourceName": given.held.resource,
        "DeviceIDs": {"-1": list(given.held.ids)},
        "AllocResp": base64.b64encode(given.answer).decode(),
    }
