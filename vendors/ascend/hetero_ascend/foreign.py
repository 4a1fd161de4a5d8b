"""What Project-HAMi's device plugin for these chips reads of a pod, for nodes where that one serves. Pure.

Source: Project-HAMi/HAMi v2.10, pkg/device/ascend and pkg/device/devices.go; Project-HAMi/ascend-device-plugin,
internal/server. The plugin also looks at when a pod was decided on, which is the scheduler's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from hetero.model.allocation import Grant


def told(containers: Mapping[str, Sequence[Grant]]) -> dict[str, str]:
    """For each kind of chip: its devices in two spellings, and once more as what has been given.

    Args:
        containers: Name of each container to what it holds, in the pod's order.
    """
    families = dict.fromkeys(grant.device.model.family for grants in containers.values() for grant in grants)
    found: dict[str, str] = {}
    for family in families:
        held = [[one for one in grants if one.device.model.family == family] for grants in containers.values()]
        text = "".join("".join(_item(family, grant) for grant in grants) + ";" for grants in held)
        found[f"hami.io/{family}-devices-to-allocate"] = text
        found[f"hami.io/{family}-devices-allocated"] = text
        found[f"huawei.com/{family}"] = msgspec.json.encode([_info(one) for grants in held for one in grants]).decode()
    return found


def _item(family: str, grant: Grant) -> str:
    return f"{grant.device.uuid},{family},{grant.share.memory},{_cores(grant)}:"


def _info(grant: Grant) -> dict[str, str | int]:
    share = grant.share
    info: dict[str, str | int] = {"UUID": grant.device.uuid}
    if share.template:
        info["temp"] = share.template
    else:
        info |= {"memory": share.memory, "core": _cores(grant)}
    return info


def _cores(grant: Grant) -> int:
    """Templates fix the cores: there the plugin's scheduler says 0."""
    return 0 if grant.share.template else grant.share.cores
