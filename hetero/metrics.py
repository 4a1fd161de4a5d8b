"""What happened, in numbers, kept in the process; every metric is declared here and nowhere else.

Counts, durations and states, each with at most one label. Declared metrics exist before their first event, so that
"none" and "not measured" differ. :func:`exposition` writes all of them as Prometheus reads them.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of :func:`exposition`. Source: Prometheus documentation, "Exposition formats", "Text-based format"."""

SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets of durations: doubled from half a millisecond, then up to the longest time-out."""


class Counter:
    """A number that only grows, per label value.

    Args:
        name: Name in the exposition, ending in ``_total``.
        help_text: What one unit of it means.
        label: Name of its one label; empty for a counter without.
    """

    kind = "counter"

    def __init__(self, name: str, help_text: str, label: str = "") -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self._lock = threading.Lock()
        self._values: dict[str, int] = {} if label else {"": 0}

    def add(self, label_value: str = "", amount: int = 1) -> None:
        """Count ``amount`` (≥ 0) events.

        Raises:
            ValueError: The amount is negative: a defect of the caller.
        """
        if amount < 0:
            raise ValueError(f"{self.name} only grows: {amount} cannot be added")
        with self._lock:
            self._values[label_value] = self._values.get(label_value, 0) + amount

    def value(self, label_value: str = "") -> int:
        """Events counted so far for this label value."""
        return self._values.get(label_value, 0)

    def lines(self) -> Iterator[str]:
        """Its samples in the exposition."""
        with self._lock:
            values = sorted(self._values.items())
        for label_value, value in values:
            yield f"{self.name}{_labels(self.label, label_value)} {value}"


class Gauge:
    """A number that is as it is now, per label value.

    Args:
        name: Name in the exposition.
        help_text: What it tells, with its unit.
        label: Name of its one label; empty for a gauge without.
    """

    kind = "gauge"

    def __init__(self, name: str, help_text: str, label: str = "") -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self._values: dict[str, float] = {} if label else {"": 0}

    def set(self, value: float, label_value: str = "") -> None:
        """It is ``value`` now."""
        self._values[label_value] = value

    def value(self, label_value: str = "") -> float:
        """As last set; 0 before."""
        return self._values.get(label_value, 0)

    def lines(self) -> Iterator[str]:
        """Its samples in the exposition."""
        for label_value, value in sorted(self._values.copy().items()):
            yield f"{self.name}{_labels(self.label, label_value)} {value:.10g}"


class Histogram:
    """How often something took how long, per label value.

    Args:
        name: Name in the exposition, ending in its unit (``_seconds``).
        help_text: What is measured.
        label: Name of its one label; empty for a histogram without.
        buckets: Upper ends, rising; one without end is added.
    """

    kind = "histogram"

    def __init__(self, name: str, help_text: str, label: str = "", buckets: tuple[float, ...] = SECONDS) -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self.buckets = buckets
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        if not label:
            self._of("")

    def observe(self, value: float, label_value: str = "") -> None:
        """Count one observation."""
        bucket = bisect_left(self.buckets, value)
        with self._lock:
            self._of(label_value)[bucket] += 1
            self._sums[label_value] += value

    def count(self, label_value: str = "") -> int:
        """Observations so far for this label value."""
        return sum(self._counts.get(label_value, ()))

    def sum(self, label_value: str = "") -> float:
        """What they come to together."""
        return self._sums.get(label_value, 0.0)

    def lines(self) -> Iterator[str]:
        """Its samples in the exposition; buckets count all observations up to their end."""
        with self._lock:
            counts = {label_value: list(one) for label_value, one in sorted(self._counts.items())}
            sums = dict(self._sums)
        for label_value, one in counts.items():
            total = 0
            for end, count in zip((*self.buckets, float("inf")), one, strict=True):
                total += count
                le = "+Inf" if end == float("inf") else f"{end:g}"
                yield f"{self.name}_bucket{_labels(self.label, label_value, le)} {total}"
            yield f"{self.name}_sum{_labels(self.label, label_value)} {sums[label_value]:.10g}"
            yield f"{self.name}_count{_labels(self.label, label_value)} {total}"

    def _of(self, label_value: str) -> list[int]:
        if label_value not in self._counts:
            self._sums[label_value] = 0.0
            self._counts[label_value] = [0] * (len(self.buckets) + 1)
        return self._counts[label_value]


Metric = Counter | Gauge | Histogram


def _labels(label: str, value: str, le: str = "") -> str:
    pairs = [(label, value)] if label else []
    pairs += [("le", le)] if le else []
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in pairs) + "}" if pairs else ""


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def exposition(metrics: Iterable[Metric] | None = None) -> str:
    """Metrics as Prometheus reads them; all of this process when none are named."""
    lines: list[str] = []
    for metric in ALL if metrics is None else metrics:
        help_text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
        lines += [f"# HELP {metric.name} {help_text}", f"# TYPE {metric.name} {metric.kind}", *metric.lines()]
    return "\n".join([*lines, ""])


plugin_failures = Counter("hetero_plugin_failures_total", "Plugins skipped because they could not be used.", "plugin")
driver_failures = Counter("hetero_driver_failures_total", "Calls to a driver library that failed.", "vendor")
refused_requests = Counter("hetero_refused_requests_total", "Requests refused as invalid.", "reason")

# The API server, as a client sees it.
api_failures = Counter("hetero_api_failures_total", "Requests to the API server that failed.", "reason")
relists = Counter("hetero_relists_total", "Times that all objects of a kind were listed anew.", "kind")
unreadable_objects = Counter("hetero_unreadable_objects_total", "Objects of the API that could not be read.", "kind")
events = Counter("hetero_events_total", "Events for pods, by what became of them.", "outcome")
informer_lag = Gauge("hetero_informer_lag_seconds", "Time since the last word from the watch of a kind.", "kind")

# The shared scheduler.
request_seconds = Histogram("hetero_request_seconds", "Time from a request's last byte to its answer, by path.", "path")
binding_seconds = Histogram("hetero_binding_seconds", "Time that the API server took for a Binding.")
bindings = Counter("hetero_bindings_total", "Bindings asked for, by what became of them.", "outcome")
filtered = Counter("hetero_filtered_pods_total", "Pods filtered, by whether a node fits.", "result")
woken = Counter("hetero_woken_pods_total", "Refused pods that kube-scheduler was told to look at again.", "outcome")
expired_grants = Counter("hetero_expired_grants_total", "Predicted places that no Binding followed in time.")
unusable_placements = Counter(
    "hetero_unusable_placements_total", "Placements of bound pods that do not count, by what is wrong.", "reason"
)
unusable_inventories = Counter("hetero_unusable_inventories_total", "Inventories of nodes that could not be used.")
overcommitted = Gauge("hetero_overcommitted_devices", "Devices of which more is promised than they have.")
certificate_loads = Counter("hetero_certificate_loads_total", "Loads of the certificate, by outcome.", "outcome")
ready = Gauge("hetero_scheduler_ready", "1 when the ledger is in step with the cluster.")
nodes = Gauge("hetero_scheduler_nodes", "Nodes with devices.")
pods = Gauge("hetero_scheduler_pods", "Pods that hold devices.")
grants = Gauge("hetero_scheduler_grants", "Places that are promised and not yet seen in the cluster, by kind.", "kind")

ALL: tuple[Metric, ...] = (
    plugin_failures,
    driver_failures,
    refused_requests,
    api_failures,
    relists,
    unreadable_objects,
    events,
    informer_lag,
    request_seconds,
    binding_seconds,
    bindings,
    filtered,
    woken,
    expired_grants,
    unusable_placements,
    unusable_inventories,
    overcommitted,
    certificate_loads,
    ready,
    nodes,
    pods,
    grants,
)
