"""The codes of both libraries in the words of their headers, by number.

Source: dcu-dcgm, headers of pkg/dcgm/include. From 32 on, the header of libhydmi and its library 1.5 mean different
things, so those have no word here.
"""

from __future__ import annotations

DMI: tuple[str, ...] = (
    "SUCCESS",
    "ERROR",
    "NO_MEMORY",
    "OPEN_MKFD_FAILED",
    "MKFD_ALREADY_OPENED",
    "SYS_NODE_NOT_EXIST",
    "NOT_SUPPORTED",
    "MKFD_NOT_OPENED",
    "CREATE_VDEV_FAILED",
    "DESTROY_VDEV_FAILED",
    "INVALID_ARGUMENTS",
    "OUT_OF_RESOURCES",
    "QUERY_VDEV_INFO_FAILED",
    "NOT_INITIALIZED",
    "DEVICE_NOT_SUPPORT",
    "VDEV_NOT_EXIST",
    "INIT_DEVICE_FAILED",
    "DEVICE_BUSY",
    "FILE_ERROR",
    "PERMISSION",
    "INTERNAL_EXCEPTION",
    "INPUT_OUT_OF_BOUNDS",
    "SMI_INIT_ERROR",
    "NOT_FOUND",
    "INSUFFICIENT_SIZE",
    "INTERRUPT",
    "UNEXPECTED_SIZE",
    "NO_DATA",
    "UNEXPECTED_DATA",
    "SMI_BUSY",
    "REFCOUNT_OVERFLOW",
    "NOT_YET_IMPLEMENTED",
)
"""Of libhydmi, from 0."""

RSMI: tuple[str, ...] = (
    "SUCCESS",
    "INVALID_ARGS",
    "NOT_SUPPORTED",
    "FILE_ERROR",
    "PERMISSION",
    "OUT_OF_RESOURCES",
    "INTERNAL_EXCEPTION",
    "INPUT_OUT_OF_BOUNDS",
    "INIT_ERROR",
    "NOT_YET_IMPLEMENTED",
    "NOT_FOUND",
    "INSUFFICIENT_SIZE",
    "INTERRUPT",
    "UNEXPECTED_SIZE",
    "NO_DATA",
    "UNEXPECTED_DATA",
    "BUSY",
    "REFCOUNT_OVERFLOW",
    "SETTING_UNAVAILABLE",
    "AMDGPU_RESTART_ERR",
)
"""Of librocm_smi64, from 0."""
