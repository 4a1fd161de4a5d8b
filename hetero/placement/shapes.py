"""What is known of each kind of pod: pods that ask alike get the same answers, until something changes.

The answers for all nodes are kept, and of a known kind only those nodes are looked at again that have changed since.
Kinds are forgotten when there are too many, those first that were not asked about for longest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np

from hetero.model.ask import PodAsk, Traits
from hetero.model.policy import DevicePolicy, Policy
from hetero.model.share import Refusal
from hetero.placement.fit import Fit
from hetero.placement.judge import Judge, Plan
from hetero.placement.ledger import Ledger
from hetero.placement.score import Scorer
from hetero.placement.single import Single
from hetero.placement.verdict import Verdicts
from hetero.placement.view import View

_REMEMBERED = 256
_FEW = 4  # nodes, of which each may as well be looked at by itself

_NOBODY = {"name": "", "namespace": "", "uid": "", "compute_policy": "", "traits": Traits()}


def shape(pod: PodAsk) -> PodAsk:
    """The pod without what tells it from others that ask alike."""
    return msgspec.structs.replace(pod, **_NOBODY)


@dataclass
class Shape:
    """One kind of pod.

    Attributes:
        judge: Says of nodes whether such a pod fits.
        catalogue: How large the catalogue was when the judge was made.
        verdicts: Of all nodes.
        seen: The ledger's version that the verdicts are of.
        refusals: The detailed ones of that version, once somebody has asked; quotas aside.
    """

    judge: Judge
    catalogue: int
    verdicts: Verdicts
    seen: int
    refusals: dict[str, Refusal] | None = None

    def update(self, ledger: Ledger) -> Verdicts:
        """Bring the verdicts up to date. O(devices of the nodes that changed), beside a look at all stamps."""
        count, known = len(ledger.names), self.verdicts.codes.size
        if self.seen != ledger.version or self.judge.unsettled:
            again = ledger.changed[:count] > self.seen
            again[list(self.judge.unsettled)] = True
            self.judge.unsettled.clear()
            stale = np.flatnonzero(again)
            if known < count or 4 * stale.size > count > _FEW:
                self.verdicts = self.judge.verdicts(View.all(ledger))
            elif stale.size == 1:
                self.verdicts = self.verdicts.replaced(stale, self.judge.on_one(ledger, int(stale[0])))
            elif stale.size:
                self.verdicts = self.verdicts.replaced(stale, self.judge.verdicts(View.of(ledger, stale)))
            self.seen = ledger.version
            self.refusals = None
        return self.verdicts


@dataclass(frozen=True)
class Shapes:
    """All kinds of pods that were asked about lately.

    Attributes:
        ledger: The devices.
        fit: What asks come to.
        scorers: The plugins' say.
        node_policy: Where a pod does not say: over nodes.
        device_policy: The same over the devices of a node.
    """

    ledger: Ledger
    fit: Fit
    scorers: Sequence[Scorer]
    node_policy: Policy
    device_policy: DevicePolicy
    _known: dict[PodAsk, Shape] = field(default_factory=dict)

    def verdicts(self, pod: PodAsk) -> Verdicts:
        """Of every node, as it stands.

        Raises:
            InvalidValue: The pod names a policy that there is none of.
        """
        return self._shape(pod).update(self.ledger)

    def verdict_on(self, pod: PodAsk, number: int) -> Verdicts:
        """Of this node, computed anew and not remembered, e.g. for a situation that is only tried out."""
        return self._shape(pod).judge.on_one(self.ledger, number)

    def refusals(self, pod: PodAsk, explain: Callable[[str], Refusal | None]) -> dict[str, Refusal]:
        """Of every node that does not fit, in detail; worked out by ``explain`` once until something changes."""
        known = self._shape(pod)
        verdicts = known.update(self.ledger)
        if known.refusals is None:
            failing = [name for name, number in sorted(self.ledger.index.items()) if verdicts.codes[number]]
            found = {name: explain(name) for name in failing}
            known.refusals = {name: refusal for name, refusal in found.items() if refusal is not None}
        return known.refusals

    def plan(self, pod: PodAsk) -> Plan:
        """The pod in the terms of the ledger."""
        return self._shape(pod).judge.plan

    def single(self, pod: PodAsk) -> Single | None:
        """The pod's only ask, if it is a plain one."""
        return self._shape(pod).judge.single

    def devices(self, pod: PodAsk) -> DevicePolicy:
        """What holds for a pod over the devices of a node."""
        return DevicePolicy.parse(pod.device_policy) if pod.device_policy else self.device_policy

    def _shape(self, pod: PodAsk) -> Shape:
        key = shape(pod)
        known = self._known.pop(key, None)
        if known is None or known.catalogue != self.ledger.catalogue.size:
            known = self._new(pod)
        self._known[key] = known  # the last of all now
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return known

    def _new(self, pod: PodAsk) -> Shape:
        node_policy = Policy(pod.node_policy or self.node_policy)
        judge = Judge(Plan.of(pod, self.fit, node_policy, self.devices(pod), self.scorers))
        return Shape(judge, self.ledger.catalogue.size, Verdicts.none(), -1)
