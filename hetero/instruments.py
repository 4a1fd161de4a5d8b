"""What happened, in numbers: counters, gauges, histograms, and families whose samples are collected at a scrape.

None of them knows what it is used for: :mod:`hetero.metrics` declares all that there are. :func:`exposition` writes
them as Prometheus reads them.
"""

from __future__ import annotations

import functools
import math
import re
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of :func:`exposition`. Source: Prometheus documentation, "Exposition formats", "Text-based format"."""

SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper ends of the buckets of durations: doubled from half a millisecond, then up to the longest time-out."""

Processes = tuple[str, ...]
"""Those that export a metric, by the word of their command; none: it is counted and not exported."""


class Counter:
    """A number that only grows, per label value.

    Args:
        name: Name in the exposition, ending in ``_total``.
        help_text: What one unit of it means.
        label: Name of its one label; empty for a counter without.
        by: Processes that export it.
        starts: Values of its label that are there, at 0, before anything is counted. Prometheus sees no increase in a
            series that begins with its first event, so an alert about one needs them.
    """

    kind = "counter"

    def __init__(
        self, name: str, help_text: str, label: str = "", *, by: Processes = (), starts: Sequence[str] = ()
    ) -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self.by = by
        self._lock = threading.Lock()
        self.starts = tuple(starts)
        self._values: dict[str, int] = dict.fromkeys(self.starts if label else ("",), 0)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels."""
        return (self.label,) if self.label else ()

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
            yield f"{self.name}{_one(self.label, label_value)} {value}"


class Gauge:
    """A number that is as it is now, per label value.

    Args:
        name: Name in the exposition.
        help_text: What it tells, with its unit.
        label: Name of its one label; empty for a gauge without.
        by: Processes that export it.
    """

    kind = "gauge"

    def __init__(self, name: str, help_text: str, label: str = "", *, by: Processes = ()) -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self.by = by
        self._values: dict[str, float] = {} if label else {"": 0}

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels."""
        return (self.label,) if self.label else ()

    def set(self, value: float, label_value: str = "") -> None:
        """It is ``value`` now."""
        self._values[label_value] = value

    def set_all(self, values: Mapping[str, float]) -> None:
        """It is so now by label value; those that it ever had and that are not named are 0."""
        self._values = {**dict.fromkeys(self._values, 0.0), **values}

    def value(self, label_value: str = "") -> float:
        """As last set; 0 before."""
        return self._values.get(label_value, 0)

    def lines(self) -> Iterator[str]:
        """Its samples in the exposition."""
        for label_value, value in sorted(self._values.copy().items()):
            yield f"{self.name}{_one(self.label, label_value)} {value:.10g}"


class Histogram:
    """How often something took how long, per label value.

    Args:
        name: Name in the exposition, ending in its unit (``_seconds``).
        help_text: What is measured.
        label: Name of its one label; empty for a histogram without.
        buckets: Upper ends, rising; one without end is added.
        by: Processes that export it.
    """

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help_text: str,
        label: str = "",
        buckets: tuple[float, ...] = SECONDS,
        *,
        by: Processes = (),
    ) -> None:
        self.name = name
        self.help = help_text
        self.label = label
        self.buckets = buckets
        self.by = by
        self._lock = threading.Lock()
        self._counts: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        if not label:
            self._of("")

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of its labels, without that of its buckets."""
        return (self.label,) if self.label else ()

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
                yield f"{self.name}_bucket{_one(self.label, label_value, le)} {total}"
            yield f"{self.name}_sum{_one(self.label, label_value)} {sums[label_value]:.10g}"
            yield f"{self.name}_count{_one(self.label, label_value)} {total}"

    def _of(self, label_value: str) -> list[int]:
        if label_value not in self._counts:
            self._sums[label_value] = 0.0
            self._counts[label_value] = [0] * (len(self.buckets) + 1)
        return self._counts[label_value]


class Family:
    """A metric of things that come and go: it keeps nothing, its samples are collected anew for each scrape.

    So a series ends with the thing that it is about, and another process of the same things has the same series.

    Args:
        name: Name in the exposition.
        help_text: What it tells, with its unit; of a counter, what one unit means.
        labels: Names of its labels, in their order.
        kind: ``gauge``, or ``counter`` for what only grows while the thing is there.
        by: Processes that export it.
    """

    def __init__(
        self, name: str, help_text: str, labels: Sequence[str], kind: str = "gauge", *, by: Processes = ()
    ) -> None:
        self.name = name
        self.help = help_text
        self.labels = tuple(labels)
        self.kind = kind
        self.by = by

    def lines(self) -> Iterator[str]:
        """None: nothing was collected."""
        return iter(())


class Samples:
    """What was collected of families for one scrape. For one thread."""

    def __init__(self) -> None:
        self._held: dict[str, dict[tuple[str, ...], float]] = {}
        self._written: dict[tuple[str, ...], dict[tuple[str, ...], str]] = {}

    def add(self, family: Family, values: tuple[str, ...], value: float | None) -> None:
        """Take in a sample; what is not known (None), or is no finite number, is none. The last one of a series counts.

        Raises:
            ValueError: There are not as many label values as labels: a defect of the caller.
        """
        if len(values) != len(family.labels):
            raise ValueError(f"{family.name} has the labels {family.labels}, not {len(values)} values")
        if value is not None and math.isfinite(value):
            self._held.setdefault(family.name, {})[values] = value

    def lines(self, family: Family) -> Iterator[str]:
        """The family's samples in the exposition, in the order of their labels."""
        name, written = family.name, self._written.setdefault(family.labels, {})
        for values, value in sorted(self._held.get(name, {}).items()):
            labels = written.get(values)  # most families of a thing have the same
            if labels is None:
                labels = written[values] = labelled(family.labels, values)
            yield f"{name}{labels} {_number(value)}"


Metric = Counter | Gauge | Histogram | Family


class Collected(Protocol):
    """What was collected for a scrape: :class:`Samples`, or what makes the lines as they are asked for."""

    def lines(self, family: Family) -> Iterator[str]:
        """The family's samples in the exposition, in the order of their labels."""


def labelled(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Labels as they stand behind a name; as many values as names."""
    if _SPECIAL.search("".join(values)) is not None:  # hardly ever: one look at all of them
        values = tuple(map(_escaped, values))
    return _template(names) % values


@functools.lru_cache(maxsize=256)
def _template(names: tuple[str, ...]) -> str:
    inside = ",".join(f'{name}="%s"' for name in names)
    return f"{{{inside}}}" if names else ""


def _one(label: str, value: str, le: str = "") -> str:
    names = (*((label,) if label else ()), *(("le",) if le else ()))
    return labelled(names, (*((value,) if label else ()), *((le,) if le else ())))


_SPECIAL = re.compile(r"[\\\n\"]")


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    """All of its digits: bytes of a large card have more than a short form has."""
    return repr(value + 0)  # a truth is 1 or 0


def blocks(metrics: Iterable[Metric], samples: Collected | None = None) -> Iterator[str]:
    """Metrics as Prometheus reads them, one after the other.

    Args:
        metrics: Which.
        samples: Of those that are families.
    """
    for metric in metrics:
        help_text = metric.help.replace("\\", r"\\").replace("\n", r"\n")
        lines = samples.lines(metric) if samples and isinstance(metric, Family) else metric.lines()
        yield "\n".join([f"# HELP {metric.name} {help_text}", f"# TYPE {metric.name} {metric.kind}", *lines, ""])


def exposition(metrics: Iterable[Metric], samples: Collected | None = None) -> str:
    """The same as one text."""
    return "".join(blocks(metrics, samples))
