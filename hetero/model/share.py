"""A share of one device: a vector of named quantities, or the reason why there is none."""

from __future__ import annotations

import enum

import msgspec

from hetero.model.device import CORES, MEMORY, Quantities


class Reason(enum.StrEnum):
    """Why a device or node does not serve; the values are the words that people grep for today.

    Source: the event reasons of Project-HAMi/HAMi v2.10, pkg/device/common.
    """

    MODEL_MISMATCH = "CardTypeMismatch"
    DEVICE_MISMATCH = "CardUuidMismatch"
    SLOTS_EXHAUSTED = "CardTimeSlicingExhausted"
    CORES_EXHAUSTED = "CardComputeUnitsExhausted"
    INSUFFICIENT_MEMORY = "CardInsufficientMemory"
    INSUFFICIENT_CORES = "CardInsufficientCore"
    UNHEALTHY = "CardNotHealth"
    CORDONED = "CardCordoned"
    NUMA_MISMATCH = "NumaNotFit"
    EXCLUSIVE_CONFLICT = "ExclusiveDeviceAllocateConflict"
    TOO_FEW_DEVICES = "NodeInsufficientDevice"
    UNSUPPORTED = "ModeNotFit"
    NO_DEVICES = "NodeUnfitPod"  # the node has none of the vendor, or is not known
    QUOTA = "ResourceQuotaNotFit"
    TOPOLOGY = "CardNotFoundCustomFilterRule"  # no set of devices that the policy or the vendor allows


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a share cannot be had.

    Attributes:
        reason: The kind of reason, for counting.
        message: The sentence for the user, with what was asked and what there is.
    """

    reason: Reason
    message: str


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """What one ask takes of one device, in every dimension that it is charged for.

    Attributes:
        quantities: Amounts; each name occurs in the device model's capacity.
        template: Name of the vendor's template or profile that realises it; empty when the share is free-form.
    """

    quantities: Quantities
    template: str = ""

    @property
    def memory(self) -> int:
        """MiB of device memory; 0 when the share has none of its own."""
        return self.quantities.get(MEMORY, 0)

    @property
    def cores(self) -> int:
        """Percent of the device's compute; 0 when it is not limited."""
        return self.quantities.get(CORES, 0)
