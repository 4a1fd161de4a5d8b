"""The verbs of the extender that decide: bytes in, bytes out. Writes nothing; a promise is kept in memory only.

``filter`` and ``prioritize`` are called from one thread, the event loop's: each answer takes about a millisecond.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from hetero import log, metrics
from hetero.errors import HeteroError, InvalidRequest, InvalidValue, PluginError
from hetero.kube.objects import Pod
from hetero.model.ask import PodAsk
from hetero.scheduler import preemption, protocol, simulation, verdicts
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.names import Names, Scores
from hetero.scheduler.protocol import Args, FilterResult, NodeList, PreemptionResult
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.scheduler.verdicts import Verdict

_log = log.logger("scheduler")

T = TypeVar("T")

NOT_IN_STEP = "the scheduler has not read the whole cluster yet; the pod is tried again"


class Extender:
    """Answers ``filter``, ``prioritize`` and ``preempt``.

    Args:
        cluster: What is decided from.
        recent: What was asked is noted there, for the Binding.
        telling: Where a pod that fits nowhere is told why.
        in_step: True when the cluster has been read; before, everything would look free.
    """

    def __init__(self, cluster: Cluster, recent: Recent, telling: Telling, in_step: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._recent = recent
        self._telling = telling
        self._in_step = in_step
        self._names = Names()
        self._scores = Scores()
        self._promised: tuple[PodAsk, str] | None = None

    def filter(self, body: bytes) -> bytes:
        """Which nodes fit, and for every other one why not. What is wrong stands in the answer's ``Error``."""
        self.keep_promise()
        try:
            return protocol.write(self._filter(body))
        except HeteroError as error:
            metrics.refused_requests.add(type(error).__name__)
            _log.warning("a request is refused", path="/filter", reason=str(error))
            return protocol.write(FilterResult(error=str(error)))

    def prioritize(self, body: bytes) -> bytes:
        """How good each node is, 0 to 10; the best one's place is promised to the pod for a while.

        Raises:
            InvalidValue: The body is no request. The protocol has no place for that in its answer.
        """
        self.keep_promise()
        args = _read(protocol.read_args, body)
        ask = self._ask(args.pod)
        if not isinstance(ask, PodAsk) or not ask.asks_devices or not self._in_step():
            return b"[]"
        if args.nodes is not None:
            items = simulation.named(args.nodes.items or ())
            return self._scores.write(simulation.scored(self._cluster, ask, items))
        found, best = verdicts.scored(self._cluster, ask, self._names.read(args.node_names))
        self._promised = None if best is None else (ask, best)
        return self._scores.write(found)

    def keep_promise(self) -> None:
        """Charge what the last answer predicts. To be called when that answer has been sent, before anything else.

        kube-scheduler works on with the answer while the place is planned, which takes as long as the answer did.
        """
        if self._promised is not None:
            promised, self._promised = self._promised, None
            verdicts.promise(self._cluster, *promised)

    def preempt(self, body: bytes) -> bytes:
        """Which nodes serve when pods are removed, with all pods that must go. May run in any thread.

        Raises:
            InvalidValue: As :meth:`prioritize`.
        """
        args = _read(protocol.read_preemption, body)
        ask = self._ask(args.pod)
        if not isinstance(ask, PodAsk) or not self._in_step():
            return protocol.write(PreemptionResult())
        found = preemption.victims(self._cluster, ask, args.pod.spec.priority or 0, args.candidates)
        return protocol.write(PreemptionResult(meta_victims=found))

    def _filter(self, body: bytes) -> FilterResult:
        args = _read(protocol.read_args, body)
        if not self._in_step():
            return FilterResult(error=NOT_IN_STEP)
        ask = self._ask(args.pod)
        if args.nodes is not None:
            return self._filter_in_full(args, ask, args.nodes)
        names = self._names.read(args.node_names)
        if isinstance(ask, PodAsk) and not ask.asks_devices:
            return FilterResult(node_names=args.node_names)
        verdict = self._verdict(args.pod, ask, names)
        self._tell(args.pod, verdict)
        fits = bytes(args.node_names) if len(verdict.fits) == len(names) else protocol.write(verdict.fits)
        self._names.keep(fits, verdict.fits)
        return FilterResult(node_names=msgspec.Raw(fits), failed=verdict.failed, unresolvable=verdict.unresolvable)

    def _verdict(self, pod: Pod, ask: PodAsk | str, names: Sequence[str]) -> Verdict:
        if isinstance(ask, str):
            metrics.refusals.add("other")
            return Verdict([], {}, dict.fromkeys(names, ask), ask)
        self._recent.note(ask)
        priority, at = pod.spec.priority or 0, self._cluster.books.loosened
        verdict = verdicts.fitting(self._cluster, ask, priority, names)
        if len(verdict.fits) == 1:  # kube-scheduler asks for no scores then
            self._promised = ask, verdict.fits[0]
        with self._cluster.lock:
            if verdict.fits:
                self._cluster.refused.drop(ask.key)
            else:
                metrics.refusals.add(verdict.reason)
                self._cluster.refused.note(pod.metadata, ask, priority, at, verdict.reason)
        return verdict

    def _filter_in_full(self, args: Args, ask: PodAsk | str, nodes: NodeList) -> FilterResult:
        if isinstance(ask, PodAsk) and not ask.asks_devices:
            return FilterResult(nodes=nodes)
        items = simulation.named(nodes.items or ())
        if isinstance(ask, str):
            return FilterResult(nodes=NodeList([]), unresolvable=dict.fromkeys(items, ask))
        verdict = simulation.fitting(self._cluster, ask, args.pod.spec.priority or 0, items)
        fits = NodeList([items[name] for name in verdict.fits])
        return FilterResult(nodes=fits, failed=verdict.failed, unresolvable=verdict.unresolvable)

    def _ask(self, pod: Pod) -> PodAsk | str:
        """What a pod asks, or the sentence that says why no node can serve it."""
        try:
            return self._cluster.asks.read(pod)
        except (InvalidRequest, PluginError) as error:
            metrics.refused_requests.add(type(error).__name__)
            _log.warning("a pod's request is refused", pod=_name(pod), reason=str(error))
            return str(error)

    def _tell(self, pod: Pod, verdict: Verdict) -> None:
        metrics.filtered.add("fits" if verdict.fits else "none")
        if not verdict.fits:
            _log.info("a pod fits nowhere", pod=_name(pod), reason=verdict.summary)
            self._telling.fits_nowhere(pod.metadata, verdict.summary)


def _read(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise InvalidValue("body", body[:40], f"is not what the verb takes: {error}") from error


def _name(pod: Pod) -> str:
    return f"{pod.metadata.namespace}/{pod.metadata.name}"
