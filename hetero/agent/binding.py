"""Knows the pods of this node and makes their slices: what the device plugins ask when a container starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from hetero import log
from hetero.agent.pods import Pod, Pods
from hetero.agent.records import PodSlice
from hetero.agent.shares import Shares, Wanted
from hetero.agent.slices import Slices
from hetero.allocation.held import Held
from hetero.errors import ApiError, HeteroError, Unbound
from hetero.model.allocation import ContainerEdits
from hetero.model.device import Device

_log = log.logger("agent")


class Lookup:
    """Finds pods that the informer has not shown yet: the kubelet may have heard of them first.

    Args:
        pods: What the informer has shown; what is found is added.
        listed: Asks the API server for all pods of this node.
    """

    def __init__(self, pods: Pods, listed: Callable[[], list[Pod]]) -> None:
        self._pods = pods
        self._listed = listed
        self._turn = threading.Lock()
        self._began = 0.0

    def find(self, uid: str) -> Pod | None:
        """The pod of that identity; None when it is not on this node.

        Raises:
            ApiError: The pod is not known, and the API server cannot be asked.
        """
        found = self._pods.get(uid)
        if found is None and not self._pods.over(uid):
            self._list()
            found = self._pods.get(uid)
        return found

    def known(self, uid: str) -> Pod | None:
        """The pod of that identity as far as it is known here; asks nobody."""
        return self._pods.get(uid)

    def _list(self) -> None:
        """List once for all who wait: a list that began after one came has what that one looks for."""
        came = time.monotonic()
        with self._turn:
            if self._began <= came:
                self._began = time.monotonic()
                self._pods.learn(self._listed())


class NodeBinding:
    """Binds what the kubelet gives out to what the scheduler has decided. For any number of threads.

    Args:
        lookup: Finds pods.
        shares: Reads their placements.
        slices: Makes and releases slices.
        devices: The devices of this node by identity, as they are.
        clear: Clears up what is over: called when there is no room for a slice.
    """

    def __init__(
        self,
        lookup: Lookup,
        shares: Shares,
        slices: Slices,
        devices: Callable[[], Mapping[str, Device]],
        clear: Callable[[], object],
    ) -> None:
        self._lookup = lookup
        self._shares = shares
        self._slices = slices
        self._devices = devices
        self._clear = clear

    def live(self, pod_uid: str) -> bool:
        """True when the pod is known on this node, and neither over nor gone.

        Raises:
            Unbound: The API server, which alone knows, cannot be asked.
        """
        pod = self._find(pod_uid)
        return pod is not None and not pod.over

    def edits(self, held: Held) -> ContainerEdits:
        """What the container is given; see :class:`~hetero.allocation.held.Binding`.

        Raises:
            Unbound: The placement serves nobody, or the slice cannot be made.
        """
        wanted = self.wanted(held)
        try:
            return self._made(wanted)
        except HeteroError as error:
            raise Unbound(
                f"the slice of container {held.container} of pod {wanted.pod.shown} cannot be made: {error}"
            ) from error

    def wanted(self, held: Held) -> Wanted:
        """What the container is to have; makes nothing.

        Raises:
            Unbound: The placement serves nobody.
        """
        pod = self._find(held.pod_uid)
        if pod is None:
            raise Unbound(f"pod {held.pod_uid}, which holds {held.resource}, is not known on this node")
        return self._shares.wanted(pod, held, self._devices())

    def _made(self, wanted: Wanted) -> ContainerEdits:
        before = self._slices.released
        try:
            return self._slices.edits(wanted)
        except HeteroError as error:
            self._make_room(wanted)
            if self._slices.released == before:
                raise
            _log.info("a slice is tried again, after others were released", reason=str(error))
            return self._slices.edits(wanted)

    def _make_room(self, wanted: Wanted) -> None:
        """Release what is over.

        The scheduler gives room that is free again at once, and counts on a container getting what an init container of
        its pod has had; of any pod, for what that one has left is another's. Hardware has it only when the earlier
        instance is destroyed.
        """
        for record in self._slices.records.all():
            if record.vendor == wanted.vendor and self._ended(record, wanted):
                self._slices.release(record)
        self._clear()

    def _ended(self, record: PodSlice, wanted: Wanted) -> bool:
        if (record.pod_uid, record.container) == (wanted.pod.metadata.uid, wanted.container):
            return False
        pod = self._lookup.known(record.pod_uid)
        return pod is not None and record.container in pod.ended

    def _find(self, uid: str) -> Pod | None:
        try:
            return self._lookup.find(uid)
        except ApiError as error:
            raise Unbound(
                f"pod {uid} is not known on this node yet, and the API server cannot be asked: {error}"
            ) from error
