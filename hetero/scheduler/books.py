"""Who holds what: pods that the cluster shows bound, and grants to those on their way. Keeps the planner charged.

The order of what happens is not given: a pod may be shown bound before its own Binding is answered, deleted while it is
on its way, or created again under its name. Everything goes by the pod's UID, and what was shown wins over what was
promised. Not for several threads at once: :class:`hetero.scheduler.cluster.Cluster` holds its lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from hetero import log, metrics
from hetero.admission.objects import traits
from hetero.errors import InvalidValue
from hetero.kube import objects
from hetero.model.ask import Traits
from hetero.model.placement import Placement
from hetero.placement import Planner
from hetero.scheduler.grants import Clock, Grant, Grants, Kind
from hetero.scheduler.held import Held, Unusable, held, placement

_log = log.logger("scheduler")


class Books:
    """The planner's charges.

    Args:
        planner: What is charged.
        clock: Seconds, rising.
        grant_seconds: How long a predicted place is kept without a Binding.

    Attributes:
        loosened: How often there may have come to be more room than before, for any pod.
    """

    def __init__(self, planner: Planner, clock: Clock, grant_seconds: float) -> None:
        self.grants = Grants(clock, grant_seconds)
        self.loosened = 0
        self._planner = planner
        self._held: dict[str, Held] = {}
        self._on_node: dict[str, dict[str, Held]] = {}
        self._ignored: dict[str, Unusable] = {}  # pods whose placement does not count, each told once
        self._exceeded: set[tuple[str, str]] = set()  # devices of which more is placed than they have, once each

    # What the cluster shows

    def bound(self, pod: objects.Pod) -> None:
        """A pod has its node. The first usable placement that is seen of it holds for its life.

        It is set once, by the Binding; whoever changes it afterwards changes no device.
        """
        key = pod.metadata.uid
        if key in self._held:
            return
        found = placement(pod)
        if isinstance(found, Placement):
            self._observe(pod, found)
            return
        if isinstance(found, Unusable):
            self._unusable(pod, found)
        else:
            self._ignored.pop(key, None)
        # Someone else gave it this node, so no Binding of ours can succeed any more.
        self.release(key)

    def gone(self, key: str) -> str:
        """A pod is over or deleted; the node where it held devices, or empty."""
        self._ignored.pop(key, None)
        one = self._held.pop(key, None)
        grant = self.grants.drop(key)
        self._planner.free(key)
        self.loosened += one is not None or grant is not None
        if one is None:
            return grant.placement.node if grant else ""
        del self._on_node[one.node][key]
        if not self._on_node[one.node]:
            del self._on_node[one.node]
        return one.node

    def only(self, keys: Collection[str]) -> None:
        """All pods that there are: of the others, those that were shown are gone.

        Grants stay. Their pods may be younger than the list, and each has its own way to end.
        """
        for key in [key for key in (*self._held, *self._ignored) if key not in keys]:
            self.gone(key)

    def node_of(self, key: str) -> str:
        """Where the cluster shows a pod that holds devices; empty when it does not."""
        one = self._held.get(key)
        return one.node if one else ""

    def priority_of(self, key: str) -> int | None:
        """The priority of a pod that the cluster shows with devices; None of any other."""
        one = self._held.get(key)
        return one.priority if one else None

    def removable(self, node: str, priority: int) -> list[str]:
        """The pods on a node that one of this priority may drive away, the most important first."""
        there = self._on_node.get(node, {})
        lower = [(one.importance, key) for key, one in there.items() if one.priority < priority]
        return [key for _, key in sorted(lower)]

    def keys_on(self, node: str) -> list[str]:
        """The pods that hold devices of a node or are promised some."""
        promised = (grant.placement for grant in self.grants.all())
        return list(dict.fromkeys([*self._on_node.get(node, ()), *(one.key for one in promised if one.node == node)]))

    def ignored(self) -> Counter[str]:
        """How many pods are shown with a placement that does not count, by what is wrong with it."""
        return Counter(map(str, self._ignored.values()))

    def shown(self) -> list[str]:
        """The pods that the cluster shows with devices."""
        return list(self._held)

    def __len__(self) -> int:
        return len(self._held)

    # What is promised

    def grant(self, promised: Placement, kind: Kind, of: Traits) -> Grant | None:
        """Promise a place and charge it, instead of what the pod was promised before.

        None when the cluster shows the pod bound already: what is shown holds.
        """
        if promised.key in self._held:
            return None
        self._charge(promised, of)
        return self.grants.put(promised, kind)

    def release(self, key: str) -> None:
        """Take a promise back."""
        if self.grants.drop(key) is not None and key not in self._held:
            self._planner.free(key)
            self.loosened += 1

    def doubt(self, node: str) -> None:
        """Take back what was predicted on a node whose devices have changed: one of them may not serve any more."""
        self.loosened += 1
        for grant in self.grants.tentative_on(node):
            self.release(grant.placement.key)

    def expire(self) -> None:
        """Take back what was predicted and not followed by a Binding in time."""
        for grant in self.grants.expired():
            self._planner.free(grant.placement.key)
            self.loosened += 1
            metrics.expired_grants.add()
            _log.debug("a predicted place was not bound in time", pod=_pod(grant.placement), node=grant.placement.node)

    def _observe(self, pod: objects.Pod, found: Placement) -> None:
        key = pod.metadata.uid
        try:
            changed = self._charge(found, traits(pod))
        except InvalidValue as error:
            self._unusable(pod, Unusable.UNREADABLE, str(error))
            return
        self._ignored.pop(key, None)
        self.grants.drop(key)
        if changed:
            self._look(found.node)
        self._held[key] = one = held(pod)
        self._on_node.setdefault(one.node, {})[key] = one

    def _look(self, node: str) -> None:
        """Say it when the cluster shows more than a device has: somebody else places pods, or one was replaced."""
        for device in self._planner.overcommitted(node).get(node, ()):
            if (node, device) not in self._exceeded:
                self._exceeded.add((node, device))
                _log.error("more is placed on a device than it has", node=node, device=device)

    def _charge(self, placement: Placement, of: Traits) -> bool:
        """What is charged already is left alone: a change costs every kind of pod a look at the node.

        True when it was not.
        """
        if self._planner.charged(placement.key) == placement:
            return False
        self._planner.charge(placement, of)
        return True

    def _unusable(self, pod: objects.Pod, why: Unusable, detail: str = "") -> None:
        if pod.metadata.uid in self._ignored:
            return
        self._ignored[pod.metadata.uid] = why
        metrics.unusable_placements.add(why)
        name = f"{pod.metadata.namespace}/{pod.metadata.name}"
        _log.warning("a placement does not count", pod=name, node=pod.spec.node_name, reason=str(why), detail=detail)


def _pod(one: Placement) -> str:
    return f"{one.namespace}/{one.pod}"
