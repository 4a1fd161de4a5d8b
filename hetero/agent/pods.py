"""The pods of this node as far as the agent reads them, and who follows them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection

from hetero.kube import objects
from hetero.kube.objects import Object

REMEMBERED = 4096
"""Pods that are over, and pods that are gone, of which that is remembered until what they had is cleared up."""


class Owner(Object, frozen=True):
    """One of ``metadata.ownerReferences``."""

    kind: str = ""
    name: str = ""
    controller: bool | None = None


class Metadata(objects.Metadata, frozen=True, kw_only=True):
    """With who made it."""

    owner_references: tuple[Owner, ...] | None = None


class Terminated(Object, frozen=True):
    """How a container ended."""

    exit_code: int = 0


class ContainerState(Object, frozen=True):
    """``state`` of a container."""

    terminated: Terminated | None = None


class ContainerStatus(Object, frozen=True):
    """One of ``status.initContainerStatuses``."""

    name: str = ""
    state: ContainerState | None = None


class PodSpec(objects.PodSpec, frozen=True):
    """With whose users its programs run as."""

    host_users: bool | None = None


class PodStatus(objects.PodStatus, frozen=True):
    """With what became of the pod and of its init containers."""

    reason: str | None = None
    message: str | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class Pod(objects.Pod, frozen=True):
    """A pod of this node."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def shown(self) -> str:
        """Namespace and name, for sentences."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def ended(self) -> frozenset[str]:
        """Its init containers that have ended well: none of them runs again while the pod's sandbox lives.

        A sidecar is none of them: it is started again however it ends, before this is told.
        """
        sidecars = {one.name for one in self.spec.init_containers or () if one.restart_policy == "Always"}
        statuses = self.status.init_container_statuses or ()
        states = {one.name: one.state.terminated if one.state else None for one in statuses}
        well = {name for name, end in states.items() if end is not None and end.exit_code == 0}
        return frozenset(well - sidecars)


class Pods:
    """Handler of an informer of this node's pods; read by any thread.

    Args:
        changed: Told of each pod that is new or has changed, by the informer's thread.
        gone: Told when a pod is gone or over, so that what it held may be cleared up.
    """

    def __init__(
        self, changed: Callable[[Pod], None] = lambda _: None, gone: Callable[[], None] = lambda: None
    ) -> None:
        self._changed = changed
        self._gone = gone
        self._lock = threading.Lock()
        self._known: dict[str, Pod] = {}
        self._finished: OrderedDict[str, None] = OrderedDict()
        self._removed: OrderedDict[str, None] = OrderedDict()

    def replace(self, items: Collection[Pod]) -> None:
        """These are all pods of the node."""
        with self._lock:
            before, self._known = self._known, {item.metadata.uid: item for item in items}
            for item in before.values():
                self._leave(item)
        for item in items:
            self._changed(item)
        self._gone()

    def put(self, item: Pod) -> None:
        """A pod is new or has changed."""
        with self._lock:
            before = self._known.get(item.metadata.uid)
            self._known[item.metadata.uid] = item
            self._note(item)
        self._changed(item)
        if item.over and not (before and before.over):
            self._gone()

    def remove(self, item: Pod) -> None:
        """A pod is gone."""
        with self._lock:
            self._known.pop(item.metadata.uid, None)
            self._leave(item)
        self._gone()

    def learn(self, items: list[Pod]) -> None:
        """Take in pods that were listed beside the informer; what that one knows already is newer or the same.

        So is what it knows to be gone: a list may be older than its answer, and nobody would remove such a pod again.
        """
        with self._lock:
            for item in items:
                if item.metadata.uid not in self._removed:
                    self._known.setdefault(item.metadata.uid, item)

    def get(self, uid: str) -> Pod | None:
        """The pod of that identity."""
        with self._lock:
            return self._known.get(uid)

    def live(self) -> frozenset[str]:
        """Identities of the pods that hold what they were given."""
        with self._lock:
            return frozenset(uid for uid, pod in self._known.items() if not pod.over)

    def over(self, uid: str) -> bool:
        """True when it is certain that nothing of a pod runs any more: it was seen to be over, and may be gone since.

        Of a pod that is only unknown nobody can say so: who deletes a pod by force does not wait for its containers.
        """
        with self._lock:
            pod = self._known.get(uid)
            return pod.over if pod else uid in self._finished

    def over_in(self, uid: str, container: str) -> bool:
        """True when a container of a pod is certainly over: the pod is, or the container does not run again."""
        if self.over(uid):
            return True
        pod = self.get(uid)
        return pod is not None and container in pod.ended

    def _leave(self, item: Pod) -> None:
        """A pod may be gone; it is when it is not known any more."""
        if item.metadata.uid not in self._known:
            _remember(self._removed, item.metadata.uid)
            self._note(item)

    def _note(self, item: Pod) -> None:
        if item.over:
            _remember(self._finished, item.metadata.uid)

    def find(self, namespace: str, name: str) -> Pod | None:
        """The pod of that name."""
        with self._lock:
            found = (pod for pod in self._known.values() if pod.metadata.name == name)
            return next((pod for pod in found if pod.metadata.namespace == namespace), None)


def _remember(uids: OrderedDict[str, None], uid: str) -> None:
    uids[uid] = None
    if len(uids) > REMEMBERED:
        uids.popitem(last=False)
