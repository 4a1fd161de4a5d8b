"""Every metric of hetero's processes, declared here and nowhere else, with the processes that export it.

Declared metrics exist before their first event, so that "none" and "not measured" differ. Base units: bytes, seconds,
and ratios from 0 to 1 of one device. Families are of things that come and go: what is not known of one has no sample.
The table of ``docs/reference/metrics.md`` is made of this by ``make metrics-doc``.
"""

from __future__ import annotations

from hetero import instruments
from hetero.instruments import Counter, Family, Gauge, Histogram, Metric, Samples

CONTENT_TYPE = instruments.CONTENT_TYPE

AGENT, SCHEDULER, DASHBOARD = ("agent",), ("scheduler",), ("dashboard",)
CLIENTS = (*SCHEDULER, *DASHBOARD)
EVERY = (*AGENT, *SCHEDULER, *DASHBOARD)

plugin_failures = Counter(
    "hetero_plugin_failures_total", "Plugins skipped because they could not be used.", "plugin", by=EVERY
)
driver_failures = Counter("hetero_driver_failures_total", "Calls to a driver library that failed.", "vendor", by=AGENT)
refused_requests = Counter("hetero_refused_requests_total", "Requests refused as invalid.", "reason", by=EVERY)

# The API server, as a client sees it.
api_failures = Counter("hetero_api_failures_total", "Requests to the API server that failed.", "reason", by=EVERY)
relists = Counter("hetero_relists_total", "Times that all objects of a kind were listed anew.", "kind", by=EVERY)
unreadable_objects = Counter(
    "hetero_unreadable_objects_total", "Objects of the API that could not be read.", "kind", by=EVERY
)
events = Counter(
    "hetero_events_total", "Events about pods and nodes, by what became of them.", "outcome", by=(*AGENT, *SCHEDULER)
)
informer_lag = Gauge(
    "hetero_informer_lag_seconds", "Time since the last word from the watch of a kind.", "kind", by=EVERY
)

# The dashboard.
logins = Counter("hetero_dashboard_logins_total", "Log-ins, by what became of them.", "outcome", by=DASHBOARD)
watchers = Gauge("hetero_dashboard_watchers", "Pages that are being watched.", by=DASHBOARD)
usage_requests = Counter(
    "hetero_dashboard_usage_requests_total", "Requests to agents for what is used, by outcome.", "outcome", by=DASHBOARD
)
usage_lag = Gauge("hetero_dashboard_usage_lag_seconds", "Age of the oldest use that is shown.", by=DASHBOARD)

# The shared scheduler.
request_seconds = Histogram(
    "hetero_request_seconds", "Time from a request's last byte to its answer, by path.", "path", by=CLIENTS
)
binding_seconds = Histogram("hetero_binding_seconds", "Time that the API server took for a Binding.", by=SCHEDULER)
bindings = Counter(
    "hetero_bindings_total",
    "Bindings asked for, by what became of them.",
    "outcome",
    by=SCHEDULER,
    starts=("bound", "again", "refused", "conflict", "failed", "unknown"),
)
filtered = Counter("hetero_filtered_pods_total", "Pods filtered, by whether a node fits.", "result", by=SCHEDULER)
woken = Counter(
    "hetero_woken_pods_total", "Refused pods that kube-scheduler was told to look at again.", "outcome", by=SCHEDULER
)
expired_grants = Counter(
    "hetero_expired_grants_total", "Predicted places that no Binding followed in time.", by=SCHEDULER
)
unusable_placements = Counter(
    "hetero_unusable_placements_total",
    "Placements of bound pods that do not count, by what is wrong.",
    "reason",
    by=CLIENTS,
)
ignored_placements = Gauge(
    "hetero_scheduler_ignored_placements",
    "Bound pods whose placement does not count, by what is wrong.",
    "reason",
    by=SCHEDULER,
)
unusable_inventories = Counter(
    "hetero_unusable_inventories_total", "Inventories of nodes that could not be used.", by=CLIENTS
)
overcommitted = Gauge("hetero_overcommitted_devices", "Devices of which more is promised than they have.", by=SCHEDULER)
certificate_loads = Counter(
    "hetero_certificate_loads_total",
    "Loads of the certificate, by outcome.",
    "outcome",
    by=CLIENTS,
    starts=("loaded", "refused"),
)
ready = Gauge("hetero_scheduler_ready", "1 when the ledger is in step with the cluster.", by=SCHEDULER)
nodes = Gauge("hetero_scheduler_nodes", "Nodes with devices.", by=SCHEDULER)
pods = Gauge("hetero_scheduler_pods", "Pods that hold devices.", by=SCHEDULER)
grants = Gauge(
    "hetero_scheduler_grants",
    "Places that are promised and not yet seen in the cluster, by kind.",
    "kind",
    by=SCHEDULER,
)

# The kubelet's device plugin.
registrations = Counter(
    "hetero_registrations_total",
    "Registrations of a device plugin with the kubelet, by outcome.",
    "outcome",
    by=AGENT,
    starts=("registered", "failed"),
)
prestart_seconds = Histogram("hetero_prestart_seconds", "Time of PreStartContainer, by outcome.", "outcome", by=AGENT)
cdi_files = Counter(
    "hetero_cdi_files_total",
    "CDI files written, by what was seen of the runtime.",
    "outcome",
    by=AGENT,
    starts=("seen", "late", "unwatched"),
)

# The agent of a node.
inventory_writes = Counter(
    "hetero_inventory_writes_total", "Writes of what a node has, by what was written.", "what", by=AGENT
)
refused_starts = Counter(
    "hetero_refused_starts_total", "Refused starts of containers, by resource.", "resource", by=AGENT
)
retries = Counter(
    "hetero_retries_total",
    "Pods that the kubelet was told to look at again, by outcome.",
    "outcome",
    by=AGENT,
    starts=("told", "failed", "gone"),
)
swept = Counter("hetero_swept_total", "What containers had left and was removed, by what it was.", "what", by=AGENT)
slices = Gauge("hetero_agent_slices", "Slices of containers on this node, by vendor.", "vendor", by=AGENT)
devices = Gauge("hetero_agent_devices", "Devices of this node that are well, by vendor.", "vendor", by=AGENT)
looks = Counter("hetero_precedence_looks_total", "Looks whether a slice has to make way for another.", by=AGENT)
yielding = Gauge(
    "hetero_precedence_yielding", "Slices that make way for others, each counted for each of its devices.", by=AGENT
)
agent_ready = Gauge("hetero_agent_ready", "1 when containers with devices can be started on this node.", by=AGENT)

# The agent's look at its devices and containers.
sample_seconds = Histogram(
    "hetero_sample_seconds", "Time that a vendor's driver took to say what its devices do.", "vendor", by=AGENT
)
reconciliation_seconds = Histogram(
    "hetero_reconciliation_seconds",
    "Time of a clearing up of what containers have left, by what for.",
    "what",
    by=AGENT,
)
reading_seconds = Histogram("hetero_reading_seconds", "Time that one reading of all slices of the node took.", by=AGENT)
unreadable_regions = Counter("hetero_unreadable_regions_total", "Regions of slices that could not be read.", by=AGENT)
cut_regions = Counter(
    "hetero_cut_regions_total", "Times that a slice's region was cut because its container had made it grow.", by=AGENT
)
sample_age = Family(
    "hetero_sample_age_seconds", "Age of what is known of the devices of a vendor.", ("node", "vendor"), by=AGENT
)

# The scheduler's queue and its check of itself.
refusals = Counter(
    "hetero_refusals_total",
    "Pods that no node served, by what held for most of the nodes that could.",
    "reason",
    by=SCHEDULER,
)
waiting_pods = Gauge(
    "hetero_scheduler_waiting_pods",
    "Pods that ask devices and have no node, by why the last look found none.",
    "reason",
    by=SCHEDULER,
)
drift = Gauge(
    "hetero_scheduler_ledger_drift_devices",
    "Devices whose charges differ from what pods hold, counted anew.",
    by=SCHEDULER,
)
checked = Counter("hetero_checked_nodes_total", "Nodes whose charges were counted anew.", by=SCHEDULER)

# A device.
DEVICE = ("node", "vendor", "device", "model")


def _of_device(name: str, help_text: str, *more: str) -> Family:
    return Family(f"hetero_device_{name}", help_text, (*DEVICE, *more), by=AGENT)


device_info = _of_device("info", "1 for each device, with its position in the driver's list.", "index")
device_healthy = _of_device("healthy", "1 when the device may be given to a program, 0 when not.")
device_memory_capacity = _of_device("memory_capacity_bytes", "Memory that the device has.")
device_memory_allocated = _of_device("memory_allocated_bytes", "Memory that slices on the node were given of it.")
device_memory_used = _of_device("memory_used_bytes", "Memory in use by all programs, in slices or not.")
device_compute_allocated = _of_device("compute_allocated_ratio", "Compute that slices on the node were given of it.")
device_utilization = _of_device("utilization_ratio", "Time with work on the device, over the driver's window.")
device_slots_capacity = _of_device("slots_capacity", "Programs that the device takes at once.")
device_slots_allocated = _of_device("slots_allocated", "Slots that slices on the node were given of it.")
device_temperature = _of_device("temperature_celsius", "Temperature of the chip.")
device_power = _of_device("power_watts", "Power that the device takes.")

# A device of the slice of a container.
SLICE = ("node", "namespace", "pod", "container", "vendor", "device", "position")


def _of_slice(name: str, help_text: str, *more: str) -> Family:
    kind = "counter" if name.endswith("_total") else "gauge"
    return Family(f"hetero_slice_{name}", help_text, (*SLICE, *more), kind, by=AGENT)


slice_info = _of_slice("info", "1 for each slice, with its priority and policy of compute.", "priority", "policy")
slice_memory_limit = _of_slice("memory_limit_bytes", "Memory that the slice may use; absent where it has no limit.")
slice_memory_used = _of_slice("memory_used_bytes", "Memory that its programs hold.")
slice_memory = _of_slice("memory_bytes", "The same by what it holds: context, module or data.", "kind")
slice_compute_limit = _of_slice("compute_limit_ratio", "Compute that it was given; absent where it has no limit.")
slice_compute_used = _of_slice("compute_used_ratio", "Compute that it had between the last two readings.")
slice_compute_lent = _of_slice("compute_lent_ratio", "Compute that it has for now on top of its limit.")
slice_yielding = _of_slice("yielding", "1 while it makes way for a slice of a higher priority.")
slice_compute_seconds = _of_slice("compute_seconds_total", "Device time that its programs used.")
slice_throttled_seconds = _of_slice("throttled_seconds_total", "Time that its programs were held back.")
slice_launches = _of_slice("launches_total", "Kernels that its programs launched.")
slice_unmeasured = _of_slice("unmeasured_launches_total", "Launches whose time could not be measured.")
slice_refused = _of_slice("refused_allocations_total", "Allocations refused because they were beyond the limit.")
slice_exhausted = _of_slice(
    "exhausted_allocations_total", "Allocations within the limit for which the device itself had no memory."
)
slice_processes = _of_slice(
    "processes",
    "Processes that joined the slice and did not leave; one that was killed counts until the next one joins.",
)

ALL: tuple[Metric, ...] = tuple(
    one for one in list(globals().values()) if isinstance(one, Counter | Gauge | Histogram | Family)
)
"""In the order of this file."""


def of(process: str) -> tuple[Metric, ...]:
    """The metrics that a process exports."""
    return tuple(one for one in ALL if process in one.by)


def exposition(process: str, samples: Samples | None = None) -> str:
    """What a process exports, as Prometheus reads it.

    Args:
        process: ``agent``, ``scheduler`` or ``dashboard``.
        samples: Of its families.
    """
    return instruments.exposition(of(process), samples)
