"""The first page: what the cluster has, vendor by vendor, the cards that idle, and the pods that wait. Pure."""

from __future__ import annotations

import numpy as np

from hetero.errors import HeteroError
from hetero.model.device import MEMORY, DeviceModel
from hetero.model.resources import ContainerRequest, Resources
from hetero.model.share import Share
from hetero.vendor import Vendor
from hetero.web import cards, workloads
from hetero.web.records import Overview, VendorSummary
from hetero.web.scene import Scene

WAITING = 10
"""Pods that are shown."""

_PART = 4  # of a card's memory, in an example
_PERCENT = 25  # of its compute


def overview(scene: Scene) -> Overview:
    """The first page."""
    waiting = workloads.waiting(scene)
    return Overview(
        freshness=scene.freshness,
        nodes=int((scene.shape.sizes > 0).sum()),
        cards=len(scene.shape.devices),
        vendors=tuple(_vendors(scene)),
        idle=tuple(cards.card(scene, row) for row in cards.idlest(scene)),
        waiting=tuple(workloads.waiting_pod(scene, pod) for pod in waiting[:WAITING]),
        waiting_total=len(waiting),
        workloads=sum(bool(pod.held) for pod in scene.pods.values()),
    )


def _vendors(scene: Scene) -> list[VendorSummary]:
    shape = scene.shape
    names = sorted({shape.models[number].vendor for number in shape.present})
    places = {name: place for place, name in enumerate(names)}
    of_model = np.array([places.get(one.vendor, 0) for one in shape.models], dtype=np.intp)
    of = of_model[shape.model_of] if of_model.size else shape.model_of
    count = len(names)
    memory, compute = scene.sums(of, count)
    total, unhealthy, idle, slices = (
        np.bincount(of, weights, minlength=count).astype(int).tolist()
        for weights in (None, ~scene.healthy, scene.idle, scene.slices)
    )
    on = np.zeros((count, len(shape.names)), dtype=bool)
    on[of, shape.node_of] = True
    return [
        VendorSummary(
            vendor=name,
            title=scene.vendors[name].title if name in scene.vendors else name,
            nodes=int(on[place].sum()),
            cards=total[place],
            unhealthy=unhealthy[place],
            idle=idle[place],
            slices=slices[place],
            memory=memory[place],
            compute=compute[place],
            example=_example(scene, name),
        )
        for place, name in enumerate(names)
    ]


def _example(scene: Scene, name: str) -> dict[str, str]:
    vendor = scene.vendors.get(name)
    there = [scene.shape.models[number] for number in scene.shape.present]
    models = [model for model in there if model.vendor == name]
    if vendor is None or not models:
        return {}
    return example(vendor, max(models, key=lambda model: (model.capacity.get(MEMORY, 0), model.name)))


def example(vendor: Vendor, model: DeviceModel) -> dict[str, str]:
    """Limits by which a container asks for a part of a card, in the vendor's own words; such as admission takes.

    Not every chip gives memory, or compute, by themselves: then less is named, at last the card alone.
    """
    family = next((one for one in vendor.resources if one.family == model.family), vendor.resources[0])
    parts = {name: str(amount) for name, amount in _parts(family, model) if name}
    names = list(parts)
    for count in range(len(names), 0, -1):
        limits = {name: parts[name] for name in names[:count]}
        if _taken(vendor, family, model, limits):
            return limits
    return {}


def _parts(family: Resources, model: DeviceModel) -> list[tuple[str, int]]:
    memory = model.capacity.get(MEMORY, 0) // _PART // family.memory_unit
    asked = [(family.memory, memory)] if memory else []
    return [(family.count, 1), *asked, (family.cores, _PERCENT)]


def _taken(vendor: Vendor, family: Resources, model: DeviceModel, limits: dict[str, str]) -> bool:
    try:
        asks = family.asks(ContainerRequest(path="", limits=limits))
        return bool(asks) and all(isinstance(vendor.splitting.split(model, ask), Share) for ask in asks)
    except HeteroError:
        return False
