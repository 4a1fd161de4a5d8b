"""What the interface under ``/api/v1`` answers; its OpenAPI document is made of these.

Base units, as in the metrics: bytes, seconds since 1970, and ratios, where 1 is all of one device. ``allocated`` is
what the ledger promised, ``used`` what the agents of the nodes saw; a ``used`` of None is not known, which is not 0.
"""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What all answers share."""


class Amount(Record, frozen=True, kw_only=True):
    """Memory in bytes, or compute in devices.

    Attributes:
        capacity: What there is.
        allocated: What is promised to pods.
        used: What programs really use, of the devices whose use is known; None when of none is.
        known: The capacity of those devices, so that ``used / known`` is a ratio.
        shared: What slices without a limit may use: promised to nobody, and not idle. Of compute alone.
    """

    capacity: float
    allocated: float
    used: float | None = None
    known: float = 0.0
    shared: float = 0.0


class Freshness(Record, frozen=True, kw_only=True):
    """How old what is shown may be.

    Attributes:
        time: Of this answer.
        in_step: The cluster is followed; false while the API server cannot be reached.
        heard: When the API server was last heard of.
        nodes: Nodes with devices.
        reporting: Of those, nodes whose use is known and recent.
        oldest: Age in seconds of the oldest use that is shown; None where there is none.
    """

    time: float
    in_step: bool
    heard: float
    nodes: int
    reporting: int
    oldest: float | None = None


class SliceOfCard(Record, frozen=True, kw_only=True):
    """What one container has of one card.

    Attributes:
        namespace: Of the pod.
        pod: Its name.
        container: The container.
        memory: Bytes promised; all of the card's where no limit was asked.
        compute: Ratio promised; 0: no limit, it takes what is there.
        memory_used: Bytes.
        compute_used: Ratio.
        priority: 0 is served first; None when nothing was said.
        running: An agent has made it; false: promised, and not started yet.
        yielding: It makes way for a higher priority at the moment.
    """

    namespace: str
    pod: str
    container: str
    memory: float
    compute: float
    memory_used: float | None = None
    compute_used: float | None = None
    priority: int | None = None
    running: bool = False
    yielding: bool = False


class Card(Record, frozen=True, kw_only=True):
    """One device of one node.

    Attributes:
        node: Name of the node.
        uuid: Identity.
        index: Position on the node.
        vendor: Name of the vendor.
        model: The product.
        mode: The way it is split, where the chip has several; else empty.
        healthy: Whether it may be given to pods.
        health: Why not; empty when healthy.
        cordoned: It gets no new pods.
        slots: Programs that it takes at once.
        slots_used: Programs that are promised a place.
        memory: Bytes.
        compute: In devices: a capacity of 1.
        others: Whatever else the chip runs out of, by name: capacity and what is allocated.
        temperature: Degrees Celsius.
        power: Watts.
        slices: In the order in which they are drawn.
    """

    node: str
    uuid: str
    index: int
    vendor: str
    model: str
    mode: str = ""
    healthy: bool = True
    health: str = ""
    cordoned: bool = False
    slots: int = 0
    slots_used: int = 0
    memory: Amount
    compute: Amount
    others: dict[str, Amount] = {}
    temperature: int | None = None
    power: float | None = None
    slices: tuple[SliceOfCard, ...] = ()


class VendorSummary(Record, frozen=True, kw_only=True):
    """All cards of one vendor.

    Attributes:
        example: Limits by which a container asks for a part of one card, in the words of a manifest: *what if* starts
            from them.
    """

    vendor: str
    title: str
    nodes: int
    cards: int
    unhealthy: int
    idle: int
    slices: int
    memory: Amount
    compute: Amount
    example: dict[str, str] = {}


class WaitingPod(Record, frozen=True, kw_only=True):
    """A pod that asks for devices and has none yet.

    Attributes:
        namespace: Its namespace.
        pod: Its name.
        since: When it was created.
        priority: Kubernetes' priority.
        asks: What it asks, in the words of its manifest.
        reason: The sentence of its event: for each reason the nodes that it holds for.
        fits: The cluster has room for it: it is about to be placed.
    """

    namespace: str
    pod: str
    since: float
    priority: int = 0
    asks: dict[str, str] = {}
    reason: str = ""
    fits: bool = False


class Overview(Record, frozen=True, kw_only=True):
    """The first page.

    Attributes:
        vendors: Those that the cluster has cards of, by name.
        idle: The cards with most that nobody was promised or uses, at most 10, the idlest first.
        waiting: Pods that wait for devices, the longest first, at most 10.
        waiting_total: How many there are.
        workloads: Pods that hold devices.
    """

    freshness: Freshness
    nodes: int
    cards: int
    vendors: tuple[VendorSummary, ...]
    idle: tuple[Card, ...]
    waiting: tuple[WaitingPod, ...]
    waiting_total: int
    workloads: int


class NodeSummary(Record, frozen=True, kw_only=True):
    """One node.

    Attributes:
        name: Its name.
        vendors: Of its cards.
        models: Product to how many of it.
        cards: How many.
        unhealthy: Of those, may not be used.
        slices: Promised places.
        memory: Bytes.
        compute: In devices.
        reported: When its use was last heard of; None: never.
        problem: Why its use is not known; empty when it is.
    """

    name: str
    vendors: tuple[str, ...]
    models: dict[str, int]
    cards: int
    unhealthy: int
    slices: int
    memory: Amount
    compute: Amount
    reported: float | None = None
    problem: str = ""


class Held(Record, frozen=True, kw_only=True):
    """What one container of a pod holds of one card, and uses."""

    container: str
    node: str
    card: str
    index: int
    vendor: str
    model: str
    memory: float
    compute: float
    memory_used: float | None = None
    memory_context: float | None = None
    memory_module: float | None = None
    compute_used: float | None = None
    compute_lent: float = 0.0
    throttled_seconds: float | None = None
    launches: int | None = None
    refused: int | None = None
    exhausted: int | None = None
    priority: int | None = None
    policy: str = ""
    processes: int | None = None
    running: bool = False
    yielding: bool = False


class Workload(Record, frozen=True, kw_only=True):
    """A pod that holds devices or waits for them.

    Attributes:
        namespace: Its namespace.
        pod: Its name.
        state: ``running`` (an agent has made its slices), ``placed`` (it has its node) or ``waiting``.
        node: Where; empty while it waits.
        vendors: Whose devices.
        cards: How many.
        memory: Bytes: capacity is what it was promised.
        compute: In devices, likewise.
        since: When it was created.
        priority: Kubernetes' priority.
        reason: Why it waits; empty otherwise.
    """

    namespace: str
    pod: str
    state: str
    node: str = ""
    vendors: tuple[str, ...] = ()
    cards: int = 0
    memory: Amount
    compute: Amount
    since: float = 0.0
    priority: int = 0
    reason: str = ""


class Reasoned(Record, frozen=True, kw_only=True):
    """Why some nodes do not serve a pod: one of the different sentences, and its nodes, some by name."""

    reason: str
    message: str
    count: int
    nodes: tuple[str, ...]


class WorkloadDetail(Record, frozen=True, kw_only=True):
    """One workload.

    Attributes:
        workload: In short.
        asks: Container to what it asks, in the words of its manifest.
        held: What it holds, container by container.
        sentence: What can be said of it, as ``hetero explain pod`` does.
        best: Where it would go; empty where it is placed or fits nowhere.
        fitting: How many nodes have room; None where it is placed.
        reasons: Why the others have none, the most nodes first.
        remarks: What else its owner should know.
    """

    workload: Workload
    asks: dict[str, dict[str, str]]
    held: tuple[Held, ...] = ()
    sentence: str = ""
    best: str = ""
    fitting: int | None = None
    reasons: tuple[Reasoned, ...] = ()
    remarks: tuple[str, ...] = ()


class QuotaLimit(Record, frozen=True, kw_only=True):
    """One limit of a ResourceQuota: a count, MiB or percent, as its resource has it."""

    namespace: str
    quota: str
    resource: str
    unit: str
    limit: int
    used: int


class Planned(Record, frozen=True, kw_only=True):
    """Where a pod of a manifest would go. Nothing is promised by it.

    Attributes:
        namespace: Of the pod.
        pod: Its name, or its workload's with a number.
        node: Where; empty: nowhere.
        held: What it would hold.
        reasons: Why nodes do not serve, the most nodes first.
        fitting: How many nodes have room.
    """

    namespace: str
    pod: str
    node: str
    held: tuple[Held, ...] = ()
    reasons: tuple[Reasoned, ...] = ()
    fitting: int = 0


class Plan(Record, frozen=True, kw_only=True):
    """The answer to *what if*: the pods one after another, each with those before it in place.

    Attributes:
        pods: In the order of the manifest.
        doubts: What seems to be misspelt, and is no error.
    """

    pods: tuple[Planned, ...]
    doubts: tuple[str, ...] = ()


class Manifest(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked with *what if*: YAML or JSON of one or several objects, at most 256 KiB."""

    manifest: str


class Nodes(Record, frozen=True, kw_only=True):
    """A page of nodes; ``total`` is of all pages."""

    freshness: Freshness
    total: int
    items: tuple[NodeSummary, ...]


class NodeDetail(Record, frozen=True, kw_only=True):
    """One node and its cards."""

    freshness: Freshness
    node: NodeSummary
    cards: tuple[Card, ...]


class Cards(Record, frozen=True, kw_only=True):
    """A page of cards."""

    freshness: Freshness
    total: int
    items: tuple[Card, ...]


class Workloads(Record, frozen=True, kw_only=True):
    """A page of workloads."""

    freshness: Freshness
    total: int
    items: tuple[Workload, ...]


class Quotas(Record, frozen=True, kw_only=True):
    """A page of limits."""

    freshness: Freshness
    total: int
    items: tuple[QuotaLimit, ...]


class Series(Record, frozen=True, kw_only=True):
    """One line of a chart: a value for each time, None where there was none."""

    name: str
    values: tuple[float | None, ...]


class History(Record, frozen=True, kw_only=True):
    """What was, from Prometheus.

    Attributes:
        available: False where no Prometheus is named: then the rest is empty.
        problem: Why there is nothing although one is named; empty otherwise.
        times: Seconds since 1970, rising.
        series: As many values each as there are times.
    """

    available: bool
    problem: str = ""
    times: tuple[float, ...] = ()
    series: tuple[Series, ...] = ()


class Session(Record, frozen=True, kw_only=True):
    """Who asks.

    Attributes:
        mode: How people are known: ``token``, ``proxy`` or ``none``.
        user: Their name; empty: nobody yet.
        history: There is a Prometheus to ask.
        version: Of hetero.
    """

    mode: str
    user: str = ""
    history: bool = False
    version: str = ""


class Login(Record, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bearer token of Kubernetes, which is kept nowhere but in the memory of the dashboard."""

    token: str


class Problem(Record, frozen=True, kw_only=True):
    """Why there is no answer: one sentence that says what to do."""

    error: str
