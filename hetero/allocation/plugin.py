"""A device plugin of the kubelet for one resource, whose slots get their meaning when a container starts.

Source of the protocol: Kubernetes documentation, "Device Plugins", v1beta1; of its habits: see
:mod:`~hetero.allocation.registration` and :mod:`~hetero.allocation.latebinding`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hetero import metrics
from hetero.allocation import cdi, checkpoint
from hetero.allocation.api import deviceplugin_pb2 as messages
from hetero.allocation.api import methods
from hetero.allocation.api.door import Call, Refusal, Server
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Binding, Held, Slot
from hetero.allocation.latebinding import LateBinding, Refused
from hetero.allocation.registration import Registration
from hetero.allocation.slots import Offered
from hetero.errors import HeteroError
from hetero.log import logger

_log = logger("allocation")

THREADS = 64
"""Calls at a time, of all plugins together: a burst of containers, and a list for each plugin."""

FOLLOWERS = 8
"""Lists of one plugin that are followed at a time; the kubelet follows one. Each keeps a thread."""


def threads() -> Executor:
    """The threads of a process's plugins; idle ones cost nothing until they are needed."""
    return ThreadPoolExecutor(THREADS, thread_name_prefix="kubelet")


def _nobody(_: Held, __: str) -> None:
    pass


@dataclass(frozen=True)
class Surroundings:
    """What the plugins of one process share.

    Attributes:
        kubelet_dir: Of the kubelet's socket and checkpoint.
        folder: Where the runtime looks for CDI devices.
        pool: From :func:`threads`.
    """

    kubelet_dir: Path
    folder: CdiFolder
    pool: Executor


class Plugin:
    """Offers a resource to the kubelet, and binds its slots late.

    Args:
        resource: The extended resource's name.
        binding: Knows the pods of this node, and makes their slices; called from any number of threads.
        surroundings: Shared with other plugins.
        refused: Told of each container that cannot start, and why, each time that the kubelet asks.
    """

    def __init__(
        self,
        resource: str,
        binding: Binding,
        surroundings: Surroundings,
        refused: Refused = _nobody,
    ) -> None:
        folder = surroundings.kubelet_dir
        self.resource = resource
        self._late = LateBinding(resource, binding, folder / checkpoint.NAME, surroundings.folder, refused)
        self._pool = surroundings.pool
        self._offered = Offered(self._changed)
        self._registration = Registration(
            resource, folder, self._server, lambda: self._offered.known, lambda: self._offered.followers > 0
        )

    @property
    def registered(self) -> bool:
        """True while the kubelet knows this plugin and follows what it offers."""
        return self._registration.registered

    def offer(self, slots: Sequence[Slot]) -> None:
        """Offer these from now on; the kubelet is told when they are others than before.

        It learns of this plugin only after the first offer: an empty one in between would let it refuse pods for good.
        """
        if self._offered.put(slots):
            healthy = sum(slot.healthy for slot in slots)
            _log.info("slots offered", resource=self.resource, total=len(slots), healthy=healthy)

    def start(self) -> None:
        """Serve, and be known to the kubelet whenever there is one; returns at once."""
        self._registration.start()

    def stop(self) -> None:
        """The kubelet takes back what is offered; containers that run keep what they have."""
        self._offered.end()
        self._registration.stop()

    def _changed(self) -> None:
        self._registration.wake()

    def _server(self, socket: Path) -> Server:
        server = Server(socket, self._pool)
        server.add(methods.OPTIONS, lambda _: messages.Options(pre_start_required=True))
        server.add(methods.ALLOCATE, allocate)
        server.add(methods.PRE_START, self._pre_start)
        server.add_stream(methods.LIST_AND_WATCH, self._list_and_watch)
        return server

    def _list_and_watch(self, _: messages.Empty, call: Call) -> Iterator[messages.ListAndWatchResponse]:
        if self._offered.followers >= FOLLOWERS:
            raise Refusal(f"{FOLLOWERS} others follow this list already")
        for slots in self._offered.follow(call.when_over):
            yield messages.ListAndWatchResponse(devices=map(_device, slots))

    def _pre_start(self, request: messages.PreStartContainerRequest) -> messages.PreStartContainerResponse:
        began, outcome = time.perf_counter(), "failed"
        try:
            self._late.start(request.devices_ids)
            outcome = "bound"
        except HeteroError as error:
            outcome = "refused"
            raise Refusal(str(error)) from error
        except Exception as error:  # a defect of ours: the user must not read a traceback, nor "exception calling"
            _log.exception("PreStartContainer failed", resource=self.resource)
            raise Refusal(f"hetero failed to make the slice ({type(error).__name__}); see its agent's log") from error
        finally:
            metrics.prestart_seconds.observe(time.perf_counter() - began, outcome)
        return messages.PreStartContainerResponse()


def allocate(request: messages.AllocateRequest) -> messages.AllocateResponse:
    """A new name for each container, and nothing else: what it stands for is decided when the container starts. Pure.

    The kubelet keeps the answer, and a failure here would lose the pod for good.
    """
    names = [cdi.qualified(cdi.device(one.devices_ids)) for one in request.container_requests]
    answers = [messages.ContainerAllocateResponse(cdi_devices=[messages.CdiDevice(name=name)]) for name in names]
    return messages.AllocateResponse(container_responses=answers)


def _device(slot: Slot) -> messages.Device:
    return messages.Device(id=slot.id, health=methods.HEALTHY if slot.healthy else methods.UNHEALTHY)
