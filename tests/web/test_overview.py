"""The examples that the page of *what if* starts from: a part of a card, in words that admission takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from world import World

from hetero import plugins
from hetero.admission.asks import pod_ask
from hetero.admission.workloads import pods
from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import DeviceModel
from hetero.model.share import Reason, Refusal, Share
from hetero.testing.fake import FakeSplitting, fake_device, fake_node, fake_vendor
from hetero.vendor import Vendor
from hetero.web.overview import example, overview


class Whole(FakeSplitting):
    """Gives whole cards alone."""

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        if ask.memory is not None or ask.cores not in (0, 100):
            return Refusal(reason=Reason.UNSUPPORTED, message="whole cards alone")
        return super().split(model, ask)


class Broken(FakeSplitting):
    """Refuses everything."""

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        raise InvalidValue("ask", ask, "is nothing that this chip gives")


MODEL = fake_device(memory=4096).model


@pytest.mark.parametrize(
    ("vendor", "found"),
    [
        (
            fake_vendor(),
            {"fake.example/npu": "1", "fake.example/npumem": "1024", "fake.example/npucores": "25"},
        ),
        (replace(fake_vendor(), splitting=Whole("fake")), {"fake.example/npu": "1"}),
        (replace(fake_vendor(), splitting=Broken("fake")), {}),
    ],
)
def test_an_example_is_what_the_chip_can_give(vendor: Vendor, found: Mapping[str, str]) -> None:
    """As much of it as it takes, from the card alone to a part of everything."""
    assert example(vendor, MODEL) == found


def described(vendor: Vendor) -> DeviceModel | None:
    """A card of a vendor, by a product that its own tests may name; None where we know none."""
    return next((one for one in _models(vendor)), None)


def _models(vendor: Vendor) -> list[DeviceModel]:
    found = []
    for name in ("910B4", "MLU370-X8", "K100_AI", "NVIDIA L4"):
        try:
            found.append(vendor.splitting.model(name, 32768))
        except InvalidValue:
            continue
    return found


@pytest.mark.parametrize("vendor", plugins.load().vendors.values(), ids=lambda vendor: vendor.name)
def test_admission_takes_every_vendors_example(vendor: Vendor) -> None:
    """Pasted as it is, and not only in theory."""
    model = described(vendor)
    if model is None:  # a third party's, of whose products nothing is known here
        return
    limits = example(vendor, model)
    assert limits
    container = {"name": "main", "resources": {"limits": limits}}
    manifest = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {"containers": [container]}}
    [pod] = pods(manifest)
    assert pod_ask(pod, {vendor.name: vendor}).asks_devices


def test_a_vendor_that_is_not_installed_is_shown_all_the_same() -> None:
    """By its name, without an example."""
    world = World()
    world.node(fake_node("a", 1, vendor="stranger"))
    [found] = overview(world.state.scene()).vendors
    assert (found.title, found.cards, found.example) == ("stranger", 1, {})
