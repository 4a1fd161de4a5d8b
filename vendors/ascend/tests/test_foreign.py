"""What Project-HAMi's device plugin reads of a pod that it is to serve."""

from __future__ import annotations

import json

from hetero_ascend.names import SOFT
from hetero_ascend.splitting import NpuSplitting

from hetero.model.allocation import Grant
from hetero.model.ask import Ask
from hetero.model.device import Device
from hetero.model.share import Share

splitting = NpuSplitting()


def grant(product: str, uuid: str, mode: str = "", **ask: object) -> Grant:
    """A share of a chip."""
    model = splitting.model(product, 65536, mode)
    share = splitting.split(model, Ask(vendor="ascend", family=model.family, **ask))  # type: ignore[arg-type]
    assert isinstance(share, Share)
    return Grant(device=Device(uuid=uuid, index=0, model=model), share=share)


def test_each_container_has_its_entry() -> None:
    """Devices end with a colon and containers with a semicolon, those without any included."""
    found = splitting.annotations(
        {
            "one": [grant("910B3", "A", memory=1000)],
            "none": [],
            "two": [grant("910B3", "A", cores=100), grant("910B3", "B", cores=100)],
        }
    )
    told = "A,Ascend910B3,16384,0:;;A,Ascend910B3,65536,100:B,Ascend910B3,65536,100:;"
    assert found["hami.io/Ascend910B3-devices-to-allocate"] == told
    assert found["hami.io/Ascend910B3-devices-allocated"] == told


def test_templates_are_told_by_name_and_the_rest_by_amounts() -> None:
    """One item for each device, in the order of the containers."""
    shares = {"a": [grant("910B3", "A", memory=1000)], "b": [grant("910B3", "B", SOFT, memory=1000, cores=30)]}
    assert json.loads(splitting.annotations(shares)["huawei.com/Ascend910B3"]) == [
        {"UUID": "A", "temp": "vir05_1c_16g"},
        {"UUID": "B", "memory": 1000, "core": 30},
    ]


def test_kinds_of_chips_are_told_apart() -> None:
    """Each by its own annotations, with an entry for every container."""
    found = splitting.annotations({"a": [grant("910B4-1", "A", memory=1)], "b": [grant("910B3", "B", memory=1)]})
    assert len(found) == 6
    assert found["hami.io/Ascend910B4-1-devices-allocated"] == "A,Ascend910B4-1,16384,0:;;"
    assert found["hami.io/Ascend910B3-devices-allocated"] == ";B,Ascend910B3,16384,0:;"


def test_a_pod_without_devices_has_no_annotation() -> None:
    """Nothing is said of nothing."""
    assert splitting.annotations({"a": []}) == {}
