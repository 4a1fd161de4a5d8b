"""Whether a GPU may be given to a program: what NVML reports of it, and the critical errors since we listen."""

from __future__ import annotations

import threading
from typing import Any

import pynvml

from hetero import log
from hetero.errors import DriverError
from hetero.model.device import Health
from hetero_nvidia.nvml import Nvml

_log = log.logger("nvidia")

APPLICATION_ERRORS = frozenset({13, 31, 43, 45, 68, 109})
"""Errors of the program rather than of the GPU. Source: NVIDIA GPU Deployment and Management, "Xid Errors"."""


class HealthMonitor:
    """Listens for critical errors of the GPUs that it was told of."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._lock = threading.Lock()
        self._events: Any = None
        self._known: set[str] = set()
        self._errors: dict[str, int] = {}

    def health(self, uuid: str, handle: Any) -> Health:
        """The health of one GPU, as of now.

        Raises:
            DriverFailed: The driver cannot be asked about this GPU.
        """
        self._listen(uuid, handle)
        self._drain()
        if uuid in self._errors:
            return Health(ok=False, reason=f"Xid {self._errors[uuid]}")
        rows = self._nvml.optional("nvmlDeviceGetRemappedRows", handle)
        if rows is not None and rows[3]:  # corrected, uncorrected, pending, failed
            return Health(ok=False, reason="row remapping failed")
        return Health()

    def _listen(self, uuid: str, handle: Any) -> None:
        with self._lock:
            if uuid in self._known:
                return
            self._known.add(uuid)
            if self._events is None:
                self._events = self._nvml.optional("nvmlEventSetCreate")
            if self._events is not None:
                # None where the GPU reports no events: then its queries are all there is.
                self._nvml.optional(
                    "nvmlDeviceRegisterEvents", handle, pynvml.nvmlEventTypeXidCriticalError, self._events
                )

    def _drain(self) -> None:
        """Take what has been reported, waiting for nothing."""
        with self._lock:
            while self._events is not None:
                try:
                    event = self._nvml.call("nvmlEventSetWait_v2", self._events, 0)
                except DriverError:
                    return  # nothing more: NVML answers a time-out
                self._note(event)

    def _note(self, event: Any) -> None:
        xid = int(event.eventData)
        if xid in APPLICATION_ERRORS:
            return
        uuid = self._nvml.call("nvmlDeviceGetUUID", event.device)
        _log.error("critical error", device=uuid, xid=xid)
        self._errors[uuid] = xid
