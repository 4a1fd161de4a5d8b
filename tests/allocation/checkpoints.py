"""The kubelet's file, written as the kubelet writes it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from hetero.allocation.api.deviceplugin_pb2 import CdiDevice, ContainerAllocateResponse
from hetero.allocation.held import Held


def written(entries: Sequence[Held], nodes: int = 1) -> bytes:
    """A checkpoint of these entries, the ids spread over NUMA nodes."""
    rows = [
        {
            "PodUID": held.pod_uid,
            "ContainerName": held.container,
            "ResourceName": held.resource,
            "DeviceIDs": {str(node - 1): list(held.ids[node::nodes]) for node in range(nodes)},
            "AllocResp": base64.b64encode(
                ContainerAllocateResponse(
                    cdi_devices=[CdiDevice(name=one) for one in held.cdi_names]
                ).SerializeToString()
            ).decode(),
        }
        for held in entries
    ]
    return json.dumps({"Data": {"PodDeviceEntries": rows, "RegisteredDevices": {}}, "Checksum": 1}).encode()
