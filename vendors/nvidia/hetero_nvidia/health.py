"""Whether a GPU may be given to a program: what NVML reports of it, and the critical errors since we listen.

Each GPU has an event set of its own: one that fell off the bus ends every wait for a set that it is in, and would hide
the errors of the others.
"""

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


_RECOVERY_ACTION = 230  # NVML_FI_DEV_GET_GPU_RECOVERY_ACTION, which older releases of the binding do not name
_MOST_EVENTS = 1000  # taken at a time: a broken library may never say that there are no more


class HealthMonitor:
    """Listens for critical errors of the GPUs that it was told of."""

    def __init__(self, nvml: Nvml) -> None:
        self._nvml = nvml
        self._lock = threading.Lock()
        self._sets: dict[str, Any] = {}
        self._errors: dict[str, int] = {}

    def health(self, uuid: str, handle: Any) -> Health:
        """The health of one GPU, as of now.

        Raises:
            DriverFailed: The driver cannot be asked about this GPU.
        """
        with self._lock:
            self._listen(uuid, handle)
            self._drain(uuid)
        if uuid in self._errors and not self._recovered(uuid, handle):
            return Health(ok=False, reason=f"Xid {self._errors[uuid]}")
        rows = self._nvml.optional("nvmlDeviceGetRemappedRows", handle)
        if rows is not None and rows[3]:  # corrected, uncorrected, pending, failed
            return Health(ok=False, reason="row remapping failed")
        return Health()

    def _recovered(self, uuid: str, handle: Any) -> bool:
        """Ask a GPU that had a critical error whether anything is still to be done; older drivers do not tell.

        Source: nvml.h, NVML_FI_DEV_GET_GPU_RECOVERY_ACTION; 0 is none, others are a reset, a reboot and the like.
        """
        answer = self._nvml.optional("nvmlDeviceGetFieldValues", handle, [_RECOVERY_ACTION])
        if answer is None or answer[0].nvmlReturn != pynvml.NVML_SUCCESS:
            return False
        if int(answer[0].value.uiVal) != pynvml.NVML_GPU_RECOVERY_ACTION_NONE:
            return False
        _log.info("recovered", device=uuid, xid=self._errors.pop(uuid))
        return True

    def _listen(self, uuid: str, handle: Any) -> None:
        if uuid in self._sets:
            return
        events = self._nvml.optional("nvmlEventSetCreate")
        if events is not None:
            self._register(handle, events)
        self._sets[uuid] = events

    def _register(self, handle: Any, events: Any) -> None:
        try:
            # None where the GPU reports no events: then its queries are all there is.
            self._nvml.optional("nvmlDeviceRegisterEvents", handle, pynvml.nvmlEventTypeXidCriticalError, events)
        except DriverError:
            self._nvml.optional("nvmlEventSetFree", events)  # the next call tries with a new one
            raise

    def _drain(self, uuid: str) -> None:
        """Take what has been reported, waiting for nothing."""
        for _ in range(_MOST_EVENTS if self._sets[uuid] is not None else 0):
            try:
                event = self._nvml.call("nvmlEventSetWait_v2", self._sets[uuid], 0)
            except DriverError:
                return  # nothing more: NVML answers a time-out
            self._note(uuid, int(event.eventData))

    def _note(self, uuid: str, xid: int) -> None:
        if xid in APPLICATION_ERRORS:
            return
        _log.error("critical error", device=uuid, xid=xid)
        self._errors[uuid] = xid
