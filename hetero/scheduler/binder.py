"""Gives a pod its node: one plan, one charge, one POST, one answer, however often and from wherever it is asked.

kube-scheduler binds in goroutines of its own, so this runs in many threads. What may happen, and what then holds:

* The same binding is asked twice at once: one POST, both get its outcome.
* It was carried out before (kube-scheduler timed out, this process was restarted): the API server says conflict, the
  pod is read back, and it is a success.
* The POST is not answered: the pod is read back. If it does not show the node, it may get it yet, so its room is kept
  and the pod is tried again for the same node only, until :meth:`Binder.settle` knows.
* The pod was deleted, and created again under its name: the UID in the Binding does not match, and nothing happens.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future

from hetero import log, metrics
from hetero.errors import ApiError, HeteroError, PluginError
from hetero.kube.objects import Metadata
from hetero.model.ask import PodAsk, Traits
from hetero.model.placement import Placement
from hetero.model.share import Refusal
from hetero.scheduler import verdicts
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.extender import NOT_IN_STEP
from hetero.scheduler.grants import Grant, Kind
from hetero.scheduler.posting import Outcome, Posting, Result, Where
from hetero.scheduler.protocol import BindingArgs
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling

_log = log.logger("scheduler")

SETTLED_AFTER = 90.0
"""Seconds after which a Binding that was not answered is not carried out any more.

Source: kube-apiserver, ``--request-timeout``: a request ends after 60 seconds; the rest is for its way there."""

DOUBTED_AFTER = 30.0
"""Seconds in which the informer shows a pod that was bound; one that it does not show is read back."""


class Binder:
    """Binds pods. For several threads.

    Args:
        cluster: What is planned with and charged.
        recent: What the pods ask.
        posting: The way to the API server.
        telling: Where the outcome is told.
        in_step: True when the cluster has been read.
        annotations: What else a pod with a placement is given.
    """

    def __init__(  # noqa: PLR0913 — what it is put together from
        self,
        cluster: Cluster,
        recent: Recent,
        posting: Posting,
        telling: Telling,
        in_step: Callable[[], bool],
        *,
        annotations: Callable[[Placement], Mapping[str, str]] = lambda _: {},
    ) -> None:
        self._cluster = cluster
        self._recent = recent
        self._posting = posting
        self._telling = telling
        self._in_step = in_step
        self._annotations = annotations
        self._lock = threading.Lock()
        self._flights: dict[str, tuple[str, Future[Result]]] = {}

    def bind(self, args: BindingArgs) -> str:
        """Bind a pod to a node; empty when it is bound to it, otherwise the sentence that says why not."""
        key = args.pod_uid or f"{args.pod_namespace}/{args.pod_name}"
        with self._lock:
            node, flight = self._flights.get(key, ("", None))
            own: Future[Result] = Future()
            if flight is None:
                self._flights[key] = args.node, own
        if flight is not None:
            # Whoever asks again is told what the first one is told.
            return flight.result().sentence if node == args.node else verdicts.UNDER_WAY
        result = Result(Outcome.FAILED, "the binding ended before it was decided")
        try:
            with log.bound(pod=f"{args.pod_namespace}/{args.pod_name}", node=args.node):
                result = self._bind(key, args)
        finally:
            with self._lock:
                del self._flights[key]
            own.set_result(result)
        return result.sentence

    def settle(self) -> None:
        """Find out what became of Bindings that were not answered, and of pods that the informer does not show.

        For a thread that calls it every second or so.
        """
        with self._cluster.lock:
            grants = self._cluster.books.grants
            doubted = grants.firm(Kind.UNKNOWN)
            doubted += [one for one in grants.firm(Kind.BOUND) if grants.clock() - one.since > DOUBTED_AFTER]
        for grant in doubted:
            self._settle(grant)

    def _bind(self, key: str, args: BindingArgs) -> Result:
        result = self._decide(key, args)
        metrics.bindings.add(result.outcome)
        pod = Metadata(name=args.pod_name, namespace=args.pod_namespace, uid=args.pod_uid)
        if result.sentence:
            _log.warning("a pod could not be bound", outcome=str(result.outcome), reason=result.sentence)
            self._telling.unbound(pod, result.sentence)
        else:
            self._telling.bound(pod, args.node)
        return result

    def _decide(self, key: str, args: BindingArgs) -> Result:
        if not self._in_step():
            return Result(Outcome.FAILED, NOT_IN_STEP)
        with self._cluster.lock:
            there = self._cluster.books.node_of(key)
        if there:
            return _again(there, args.node)
        try:
            ask = self._recent.get(key) or self._posting.ask(args, self._cluster.asks)
            return self._plan(ask, args) if ask.asks_devices else self._posting.bind(args, None)
        except ApiError as error:
            return Result(Outcome.FAILED, f"the pod could not be read: {error}")
        except HeteroError as error:
            return Result(Outcome.REFUSED, str(error))

    def _plan(self, ask: PodAsk, args: BindingArgs) -> Result:
        with self._cluster.lock:
            grant = self._cluster.books.grants.get(ask.key)
            if grant is not None and grant.kind is not Kind.TENTATIVE and grant.placement.node != args.node:
                return Result(Outcome.REFUSED, verdicts.UNDER_WAY)
            placement = self._again_or_anew(grant, ask, args.node)
        if isinstance(placement, Refusal):
            return Result(Outcome.REFUSED, f"node {args.node} does not serve any more: {placement.message}")
        sent = grant if grant is not None and grant.kind is not Kind.TENTATIVE else None
        return self._carry_out(placement, args, ask.traits, sent)

    def _again_or_anew(self, grant: Grant | None, ask: PodAsk, node: str) -> Placement | Refusal:
        """What was promised on this node holds; what was sent is sent as it was, for it may have been carried out."""
        if grant is not None and grant.placement.node == node:
            self._cluster.books.grants.advance(ask.key, Kind.BINDING)
            return grant.placement
        return verdicts.take(self._cluster, ask, node)

    def _carry_out(self, placement: Placement, args: BindingArgs, traits: Traits, sent: Grant | None) -> Result:
        result = Result(Outcome.UNKNOWN)  # also when a defect of ours ends it
        try:
            result = self._posting.bind(args, placement, self._annotations(placement))
        except PluginError as error:  # nothing was sent: the plugin of the node would not know what to give the pod
            result = Result(Outcome.REFUSED, str(error))
        finally:
            with self._cluster.lock:
                self._note(placement, result, traits, sent)
        return result

    def _note(self, placement: Placement, result: Result, traits: Traits, sent: Grant | None) -> None:
        """Let the grant follow what became of the Binding; the pod may have been shown, or be gone, meanwhile.

        Args:
            placement: What was sent.
            result: What became of it.
            traits: The pod's.
            sent: The grant of an earlier Binding of the pod, which may have been carried out, or be yet.
        """
        books = self._cluster.books
        if result.outcome is Outcome.UNKNOWN:
            books.grants.advance(placement.key, Kind.UNKNOWN)
        elif not result.bound and sent is not None and not result.final:
            # This one failed for certain; of the earlier one that says nothing.
            if books.grants.get(placement.key) is not None:
                books.grants.restore(sent)
        elif not result.bound:
            books.release(placement.key)
        elif books.grants.advance(placement.key, Kind.BOUND) and result.placement not in (None, placement):
            # An earlier Binding was carried out, with other devices than those that were planned now.
            books.grant(result.placement, Kind.BOUND, traits)

    def _settle(self, grant: Grant) -> None:
        one = grant.placement
        seen = self._posting.see(
            BindingArgs(pod_name=one.pod, pod_namespace=one.namespace, pod_uid=one.uid, node=one.node), devices=True
        )
        with self._cluster.lock:
            books = self._cluster.books
            if books.grants.get(one.key) is not grant:
                return  # it was shown, tried again or deleted meanwhile
            late = books.grants.clock() - grant.since > SETTLED_AFTER
            if seen.where is Where.HERE:
                books.grants.advance(one.key, Kind.BOUND)
            elif seen.where in (Where.ELSEWHERE, Where.GONE) or (seen.where is Where.NOWHERE and late):
                books.release(one.key)
                _log.info("a binding was not carried out", pod=f"{one.namespace}/{one.pod}", node=one.node)


def _again(there: str, node: str) -> Result:
    """The answer for a pod that the cluster shows on a node."""
    if there == node:
        return Result(Outcome.AGAIN)
    return Result(Outcome.CONFLICT, f"the pod is bound to node {there}")
