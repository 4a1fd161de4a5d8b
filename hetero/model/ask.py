"""What a container asks of one vendor's devices: the request, freed of any vendor's spelling."""

from __future__ import annotations

import msgspec


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices may serve, beyond having room.

    Attributes:
        use_models: Only models that one of these words names, in any case: the model of just that name when there is
            one, else all whose name contains the word. Empty means any.
        avoid_models: Never these, by the same comparison.
        use_devices: Only these identities, compared exactly; empty means any.
        avoid_devices: Never these.
        same_numa: All devices of the ask on one NUMA node.
    """

    use_models: tuple[str, ...] = ()
    avoid_models: tuple[str, ...] = ()
    use_devices: tuple[str, ...] = ()
    avoid_devices: tuple[str, ...] = ()
    same_numa: bool = False


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """So many devices of one vendor, and so much of each.

    Attributes:
        vendor: Name of the vendor.
        family: Resource family of the vendor; empty when it has one.
        count: Devices, ≥ 1. Each gives the same share.
        memory: MiB on each device, or None when asked in percent or not at all (then: the whole memory, or what the
            template has where one is named).
        memory_percentage: 1 to 100 percent of each device's memory, or None.
        cores: Percent of each device's compute; 0 sets no limit, 100 takes the device for itself.
        priority: 0 is the highest; None when the pod does not say.
        selection: Which devices may serve.
        template: Name of the vendor's template or profile, where the pod asks for just that one; empty otherwise.
        mode: The way of splitting that is asked for, as :attr:`~hetero.model.device.DeviceModel.mode`, in the vendor's
            own word; empty: any.
        sets: Which sets of devices may serve, in the vendor's own word; empty for its usual rule.
    """

    vendor: str
    family: str = ""
    count: int = 1
    memory: int | None = None
    memory_percentage: int | None = None
    cores: int = 0
    priority: int | None = None
    selection: Selection = Selection()
    template: str = ""
    mode: str = ""
    sets: str = ""

    @property
    def exclusive(self) -> bool:
        """True when no other program may be on the device: all of its compute is asked."""
        return self.cores == 100

    def memory_on(self, total: int) -> int:
        """MiB asked of a device that has ``total`` MiB, before any rounding of the chip's own.

        A percentage rounds down, so that two halves fit into an odd number, but never to nothing. An ask that names no
        memory gets all of it. The result may exceed ``total``.
        """
        if self.memory is not None:
            return self.memory
        if self.memory_percentage is not None:
            return max(1, total * self.memory_percentage // 100)
        return total


class ContainerAsk(msgspec.Struct, frozen=True, kw_only=True):
    """All that one container asks.

    Attributes:
        name: Name of the container within its pod.
        asks: One for each vendor and family that it names; empty when it needs no device.
    """

    name: str
    asks: tuple[Ask, ...] = ()


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """How much each dimension counts when fullness is scored; ≥ 0 and not all 0. Any other dimension counts 1.

    Attributes:
        slots: Of programs on a device.
        cores: Of compute.
        memory: Of memory.
    """

    slots: float = 1.0
    cores: float = 1.0
    memory: float = 1.0


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What the scopes of a quota look at in a pod, beside what it asks.

    Source: Kubernetes documentation, "Resource Quotas", "Quota scopes".

    Attributes:
        terminating: It has a deadline (``activeDeadlineSeconds``).
        best_effort: No container asks for CPU or memory of the machine.
        priority_class: ``priorityClassName``; empty when there is none.
        cross_namespace_affinity: A pod affinity of it names other namespaces.
    """

    terminating: bool = False
    best_effort: bool = False
    priority_class: str = ""
    cross_namespace_affinity: bool = False


class PodAsk(msgspec.Struct, frozen=True, kw_only=True):
    """All that one pod asks.

    Attributes:
        name: Name of the pod.
        namespace: Its namespace.
        containers: The containers that run side by side, in the order of the pod.
        init_containers: Those that run one after another before them, in order. They reuse what their
            successors get, so the pod needs the greater of the two, not the sum (Kubernetes documentation,
            "Init Containers", "Resource sharing within containers").
        node_policy: ``binpack`` or ``spread`` over nodes; empty for the planner's default.
        device_policy: Over the devices of a node: policies separated by commas, the weightiest first
            (:class:`hetero.model.policy.DevicePolicy`); empty for the planner's default.
        compute_policy: ``cap`` or ``conserve``, as in a :class:`~hetero.model.allocation.Slice`; empty: the default.
        weights: Of the dimensions, in both policies.
        uid: The pod's identity in its cluster; empty where there is none.
        traits: By which the quotas are told that count it.
    """

    name: str
    namespace: str = "default"
    containers: tuple[ContainerAsk, ...] = ()
    init_containers: tuple[ContainerAsk, ...] = ()
    node_policy: str = ""
    device_policy: str = ""
    compute_policy: str = ""
    weights: Weights = Weights()
    uid: str = ""
    traits: Traits = Traits()

    @property
    def key(self) -> str:
        """What the pod goes by in accounts: its identity, or its namespace and name where it has none."""
        return self.uid or f"{self.namespace}/{self.name}"

    @property
    def asks_devices(self) -> bool:
        """True when any container needs a device."""
        return any(container.asks for container in (*self.containers, *self.init_containers))
