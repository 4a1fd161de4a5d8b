"""Counts of what happened, kept in the process; every counter is declared here and nowhere else.

This first cut counts failures, so that a skipped plugin or a refused slice is a number as well as a log
line. Declared counters exist at zero before their first event, so "none" and "not measured" differ.
"""

from __future__ import annotations

import threading


class Counter:
    """A number that only grows, per label value.

    Args:
        name: Name in the exposition, ending in ``_total``.
        help_text: What one unit of it means.
        label: Name of its one label; empty for a counter without.
    """

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


plugin_failures = Counter("hetero_plugin_failures_total", "Plugins skipped because they could not be used.", "plugin")
driver_failures = Counter("hetero_driver_failures_total", "Calls to a driver library that failed.", "vendor")
refused_requests = Counter("hetero_refused_requests_total", "Requests refused as invalid.", "reason")

ALL = (plugin_failures, driver_failures, refused_requests)
