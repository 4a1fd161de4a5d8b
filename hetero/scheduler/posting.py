"""The Binding on its way to the API server, and what became of it.

The API server sets the node and merges the annotations in one transaction, refuses another pod of the same name by its
UID, and refuses a pod that has a node. So a Binding may be sent again, and reading the pod tells what happened.
Source: Kubernetes, pkg/registry/core/pod/storage, BindingREST and assignPod.
"""

from __future__ import annotations

import enum
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec

from hetero import metrics
from hetero.errors import ApiError, InvalidValue
from hetero.kube import objects, paths
from hetero.model import wire
from hetero.model.annotations import PLACEMENT
from hetero.model.ask import PodAsk
from hetero.model.placement import Placement
from hetero.scheduler import held
from hetero.scheduler.asks import Asks
from hetero.scheduler.protocol import BindingArgs

TRIES = 4
"""Of a Binding that the API server has no time for."""

_LONGEST = 1.0  # seconds between two tries; kube-scheduler is waiting

_read_pod = msgspec.json.Decoder(objects.Pod).decode


class Outcome(enum.StrEnum):
    """What became of a Binding."""

    BOUND = "bound"  # the API server took it
    AGAIN = "again"  # it had been carried out before
    REFUSED = "refused"  # the node does not serve any more
    CONFLICT = "conflict"  # the pod is elsewhere, another's, gone or being deleted
    FAILED = "failed"  # the API server refused it, or could not be reached
    UNKNOWN = "unknown"  # it was not answered, and the pod does not show it yet


@dataclass(frozen=True)
class Result:
    """What became of a Binding, and the sentence for kube-scheduler; empty when the pod is bound as asked.

    Attributes:
        outcome: In a word.
        sentence: Why not.
        placement: What the pod holds, when it was read back.
        final: No Binding of this pod to this node can be carried out any more, not even an earlier one.
    """

    outcome: Outcome
    sentence: str = ""
    placement: Placement | None = None
    final: bool = False

    @property
    def bound(self) -> bool:
        """True when the pod is bound as asked."""
        return self.outcome in (Outcome.BOUND, Outcome.AGAIN)


class Where(enum.Enum):
    """What a pod that is read back shows."""

    HERE = enum.auto()  # on the node, with a placement where one is due
    ELSEWHERE = enum.auto()  # on another node, or on this one without a placement of ours
    NOWHERE = enum.auto()  # not bound
    GONE = enum.auto()  # ended, deleted, being deleted before it was bound, or another of its name
    UNREADABLE = enum.auto()  # the API server does not say


@dataclass(frozen=True)
class Seen:
    """A pod that was read back."""

    where: Where
    detail: str = ""
    placement: Placement | None = None


class Server(Protocol):
    """As much of an API server as bindings need (:class:`hetero.kube.client.Api`)."""

    def get(self, path: str) -> bytes:
        """What is at a path."""

    def post(self, path: str, body: bytes) -> bytes:
        """Create what the body says."""


class Posting:
    """Sends Bindings and reads pods back. For several threads.

    Args:
        server: The API server.
        wait: Waits so many seconds between two tries.
    """

    def __init__(self, server: Server, wait: Callable[[float], object] = time.sleep) -> None:
        self._server = server
        self._wait = wait

    def ask(self, args: BindingArgs, asks: Asks) -> PodAsk:
        """What a pod asks that was filtered by another process, or long ago.

        Raises:
            ApiError: It cannot be read.
            InvalidValue: It is another pod of the same name.
            InvalidRequest: What it asks cannot be used.
        """
        pod = _read_pod(self._server.get(paths.pod(args.pod_namespace, args.pod_name)))
        if args.pod_uid and pod.metadata.uid != args.pod_uid:
            raise InvalidValue("PodUID", args.pod_uid, "is not that of the pod of this name, which was created anew")
        return asks.read(pod)

    def bind(self, args: BindingArgs, placement: Placement | None, notes: Mapping[str, str] | None = None) -> Result:
        """Send one Binding; where its outcome is not told, find it out.

        Args:
            args: The pod and its node.
            placement: What it gets there; None when it asks for no device.
            notes: Other annotations that the pod gets with its placement.
        """
        try:
            started = time.perf_counter()
            self._post(paths.binding(args.pod_namespace, args.pod_name), _body(args, placement, notes or {}))
            metrics.binding_seconds.observe(time.perf_counter() - started)
            return Result(Outcome.BOUND)
        except ApiError as error:
            if error.status == 409 or error.unsure:
                return self._found_out(args, error, devices=placement is not None)
            gone = error.status == 404
            return Result(Outcome.CONFLICT if gone else Outcome.FAILED, str(error), final=gone)

    def see(self, args: BindingArgs, *, devices: bool) -> Seen:
        """What a pod shows that may have been bound.

        Args:
            args: The pod and its node.
            devices: Whether it must carry a placement.
        """
        try:
            pod = _read_pod(self._server.get(paths.pod(args.pod_namespace, args.pod_name)))
        except ApiError as error:
            return Seen(Where.GONE if error.status == 404 else Where.UNREADABLE, str(error))
        except msgspec.MsgspecError as error:
            return Seen(Where.UNREADABLE, f"the pod cannot be read: {error}")
        if args.pod_uid and pod.metadata.uid != args.pod_uid:
            return Seen(Where.GONE, "the pod was deleted and created again")
        return _seen(pod, args.node, devices)

    def _post(self, path: str, body: bytes) -> None:
        for left in reversed(range(TRIES)):
            try:
                self._server.post(path, body)
                return
            except ApiError as error:
                if error.status != 429 or not left:
                    raise
                self._wait(min(error.retry_after or 0.2, _LONGEST))

    def _found_out(self, args: BindingArgs, error: ApiError, *, devices: bool) -> Result:
        seen = self.see(args, devices=devices)
        if seen.where is Where.HERE:
            return Result(Outcome.AGAIN, placement=seen.placement)
        if seen.where in (Where.ELSEWHERE, Where.GONE):
            return Result(Outcome.CONFLICT, seen.detail, final=True)
        if seen.where is Where.NOWHERE and error.status == 409:
            return Result(Outcome.CONFLICT, str(error))
        return Result(Outcome.UNKNOWN, f"the binding was sent and its outcome is not known yet: {error}")


def _seen(pod: objects.Pod, node: str, devices: bool) -> Seen:
    there = pod.spec.node_name
    if pod.over:
        return Seen(Where.GONE, "the pod has ended")  # wherever it was, it holds nothing any more
    if not there:
        return Seen(Where.GONE if pod.metadata.deletion_timestamp else Where.NOWHERE, "the pod is being deleted")
    if there != node:
        return Seen(Where.ELSEWHERE, f"the pod is bound to node {there}")
    found = held.placement(pod)
    if isinstance(found, Placement):
        return Seen(Where.HERE, placement=found)
    if devices:
        return Seen(Where.ELSEWHERE, f"the pod was bound to node {node} without its devices")
    return Seen(Where.HERE)


def _body(args: BindingArgs, placement: Placement | None, others: Mapping[str, str]) -> bytes:
    notes = {**others, PLACEMENT: wire.encode(placement)} if placement is not None else None
    metadata = objects.Metadata(name=args.pod_name, namespace=args.pod_namespace, uid=args.pod_uid, annotations=notes)
    target = {"apiVersion": "v1", "kind": "Node", "name": args.node}
    return msgspec.json.encode({"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target})
