"""What kube-scheduler and its extender say to each other.

The structs have no JSON tags in Kubernetes, so the keys are the names of Go's fields.
Source: Kubernetes, staging/src/k8s.io/kube-scheduler/extender/v1/types.go; pkg/scheduler/extender.go.
"""

from __future__ import annotations

import msgspec

from hetero.kube import objects

NOTHING = msgspec.Raw(b"null")


class _Message(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What all messages share; fields that are not here are skipped."""


class NodeList(msgspec.Struct, frozen=True):
    """Nodes given in full; each is kept as it came, to be given back so."""

    items: list[msgspec.Raw] | None = None


class Args(_Message, frozen=True):
    """What ``filter`` and ``prioritize`` are asked.

    Attributes:
        pod: The pod to place.
        nodes: The candidates in full, from a scheduler that does not rely on the extender's own cache.
        node_names: Their names, as JSON, from one that does; :class:`hetero.scheduler.names.Names` reads them.
    """

    pod: objects.Pod
    nodes: NodeList | None = None
    node_names: msgspec.Raw = NOTHING


class FilterResult(_Message, frozen=True):
    """What ``filter`` answers. A node that is in neither map and not among those that fit is refused without a word.

    Attributes:
        nodes: Those that fit, when nodes were given in full.
        node_names: The names of those that fit, when names were given; null means none.
        failed: Name to the reason why a node does not serve now; removing pods may help.
        unresolvable: The same where removing pods does not help.
        error: Why nothing could be decided; the pod is tried again then.
    """

    nodes: NodeList | None = None
    node_names: list[str] | msgspec.Raw | None = None
    failed: dict[str, str] = msgspec.field(default_factory=dict, name="FailedNodes")
    unresolvable: dict[str, str] = msgspec.field(default_factory=dict, name="FailedAndUnresolvableNodes")
    error: str = ""


class BindingArgs(_Message, frozen=True):
    """What ``bind`` is asked: to give this pod this node."""

    pod_name: str
    pod_namespace: str
    pod_uid: str = msgspec.field(name="PodUID")
    node: str


class BindingResult(_Message, frozen=True):
    """What ``bind`` answers; an empty error means that the pod is bound to the node."""

    error: str = ""


class MetaPod(_Message, frozen=True):
    """A victim by its identity."""

    uid: str = msgspec.field(default="", name="UID")


class MetaVictims(_Message, frozen=True):
    """The pods to remove from a node, and how many disruption budgets that breaks."""

    pods: tuple[MetaPod, ...] | None = None
    violations: int = msgspec.field(default=0, name="NumPDBViolations")


class Victims(_Message, frozen=True):
    """The same with pods in full, from a scheduler that does not rely on the extender's cache."""

    pods: tuple[objects.Pod, ...] | None = None
    violations: int = msgspec.field(default=0, name="NumPDBViolations")

    @property
    def meta(self) -> MetaVictims:
        """The same by identities."""
        pods = tuple(MetaPod(uid=pod.metadata.uid) for pod in self.pods or ())
        return MetaVictims(pods=pods, violations=self.violations)


class PreemptionArgs(_Message, frozen=True):
    """What ``preempt`` is asked: which of these nodes serve when these pods are removed, and which others must go."""

    pod: objects.Pod
    victims: dict[str, Victims] | None = msgspec.field(default=None, name="NodeNameToVictims")
    meta_victims: dict[str, MetaVictims] | None = msgspec.field(default=None, name="NodeNameToMetaVictims")

    @property
    def candidates(self) -> dict[str, MetaVictims]:
        """Node name to victims, whichever way they were given."""
        if self.meta_victims is not None:
            return self.meta_victims
        return {node: victims.meta for node, victims in (self.victims or {}).items()}


class PreemptionResult(_Message, frozen=True):
    """What ``preempt`` answers; every node in it has at least one victim."""

    meta_victims: dict[str, MetaVictims] = msgspec.field(default_factory=dict, name="NodeNameToMetaVictims")


BEST = 10
"""The greatest score of ``prioritize``. Source: MaxExtenderPriority."""

read_args = msgspec.json.Decoder(Args).decode
read_binding = msgspec.json.Decoder(BindingArgs).decode
read_preemption = msgspec.json.Decoder(PreemptionArgs).decode
write = msgspec.json.Encoder().encode
