"""The fake vendor: what tests of the core rely on when they use it."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hetero.testing
from hetero.errors import DriverMissing, InvalidValue
from hetero.model.allocation import Grant, Slice
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, Health
from hetero.model.share import Reason, Refusal, Share
from hetero.testing import fake_device, fake_devices, fake_node, fake_vendor
from hetero.testing.fake import FakeEnforcement, FakeSplitting, fake_resources
from hetero.vendor import Feature

MODEL = FakeSplitting("fake").model("Fake F1", 1000)
SPLIT = FakeSplitting("fake").split


@pytest.mark.parametrize(
    ("ask", "quantities"),
    [
        (Ask(vendor="fake", memory=300), {SLOTS: 1, MEMORY: 300, CORES: 0}),
        (Ask(vendor="fake", memory=300, cores=40), {SLOTS: 1, MEMORY: 300, CORES: 40}),
        (Ask(vendor="fake", memory_percentage=25), {SLOTS: 1, MEMORY: 250, CORES: 0}),
        (Ask(vendor="fake", cores=40), {SLOTS: 1, MEMORY: 1000, CORES: 40}),
        (Ask(vendor="fake", cores=100), {SLOTS: 10, MEMORY: 1000, CORES: 100}),
        (Ask(vendor="fake", memory=300, cores=100), {SLOTS: 10, MEMORY: 300, CORES: 100}),
        (Ask(vendor="fake", memory=1000), {SLOTS: 1, MEMORY: 1000, CORES: 0}),
    ],
    ids=str,
)
def test_what_is_asked_is_given(ask: Ask, quantities: dict[str, int]) -> None:
    """To the MiB and the percent, in one slot; a device for one program takes all of them."""
    assert SPLIT(MODEL, ask) == Share(quantities=quantities)


@given(st.integers(1001, 2**31))
def test_more_memory_than_there_is_is_refused(memory: int) -> None:
    """With what there is and what was asked."""
    refusal = SPLIT(MODEL, Ask(vendor="fake", memory=memory))
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.INSUFFICIENT_MEMORY
    assert refusal.message == f"Fake F1 has 1000 MiB, asked {memory} MiB"


@pytest.mark.parametrize(("memory", "mode", "field"), [(0, "", "memory"), (-1, "", "memory"), (1, "half", "mode")])
def test_models_that_do_not_exist_are_refused(memory: int, mode: str, field: str) -> None:
    """With the field, as any vendor does."""
    with pytest.raises(InvalidValue) as caught:
        FakeSplitting("fake").model("Fake F1", memory, mode)
    assert caught.value.field == field


def test_two_fakes_share_no_name() -> None:
    """Tests of several vendors at once need words that differ."""
    one, two = fake_vendor("fake"), fake_vendor("other")
    names = [{name.name for family in vendor.resources for name in family.names()} for vendor in (one, two)]
    assert not names[0] & names[1]
    assert not {*one.resources[0].annotations()} & {*two.resources[0].annotations()}
    assert two.title == "Other NPU"
    assert two.splitting.model("F", 1).vendor == two.resources[0].vendor == "other"


def test_the_words_of_a_fake() -> None:
    """Tests write them into manifests."""
    assert [name.name for name in fake_resources("acme").names()] == [
        "acme.example/npu",
        "acme.example/npumem",
        "acme.example/npumem-percentage",
        "acme.example/npucores",
        "acme.example/npu-priority",
    ]


def test_a_machine_without_a_driver() -> None:
    """Every question ends in the same error; no devices is another thing."""
    without = fake_vendor(devices=None).discovery
    for question in (without.driver, without.devices, without.sample):
        with pytest.raises(DriverMissing, match=r"libfake\.so\.1 was not found: install"):
            question()
    assert fake_vendor().discovery.devices() == ()
    assert fake_vendor().discovery.driver().version == "1.0"


def test_samples_are_of_idle_devices() -> None:
    """One for each, in order, with the device's health."""
    ill = fake_device(1, health=Health(ok=False, reason="too hot"))
    samples = fake_vendor(devices=[fake_device(0), ill]).discovery.sample()
    assert [(one.uuid, one.memory_used, one.utilization, one.health.ok) for one in samples] == [
        ("fake-0", 0, 0, True),
        ("fake-1", 0, 0, False),
    ]


def test_devices_of_a_node() -> None:
    """Counted from 0, of one model, named after the vendor."""
    node = fake_node("n", 3, vendor="acme", memory=500)
    assert [(one.uuid, one.index) for one in node.devices] == [("acme-0", 0), ("acme-1", 1), ("acme-2", 2)]
    assert node.devices == tuple(fake_devices(3, vendor="acme", memory=500))
    assert {one.model.capacity[MEMORY] for one in node.devices} == {500}
    [plain] = fake_node().devices
    assert plain == fake_device() == fake_devices(1)[0]
    assert (plain.uuid, plain.numa, plain.model.name, plain.model.capacity) == (
        "fake-0",
        -1,
        "Fake F1",
        {SLOTS: 10, MEMORY: 16384, CORES: 100},
    )


def test_a_program_is_told_its_share() -> None:
    """In variables of the vendor's name, in the order of the slice; releasing is remembered."""
    grants = tuple(
        Grant(device=fake_device(index), share=Share(quantities={MEMORY: memory}))
        for index, memory in ((1, 300), (0, 200))
    )
    hook = FakeEnforcement("my-chip")
    held = Slice(id="s", grants=grants, directory="/nowhere")
    assert hook.prepare(held).env == {"MY_CHIP_DEVICES": "fake-1,fake-0", "MY_CHIP_MEMORY": "300,200"}
    hook.release(held)
    assert hook.released == ["s"]
    assert [fake_vendor(region=region).enforcement.region for region in (True, False)] == [True, False]


def test_what_a_fake_lacks() -> None:
    """Only a simulation, and what a test says."""
    assert [*fake_vendor().missing] == [Feature.SIMULATION]
    assert {*fake_vendor(missing={Feature.NUMA: "none"}).missing} == {Feature.SIMULATION, Feature.NUMA}


def test_the_fake_needs_no_library_for_tests() -> None:
    """Demonstrations use it where neither pytest nor hypothesis is installed."""
    code = "import sys, hetero.testing; hetero.testing.fake_vendor(); print({'pytest', 'hypothesis'} & {*sys.modules})"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"


def test_the_suite_comes_when_it_is_asked_for() -> None:
    """From the same place as the fake; another name is an error as in any module."""
    from hetero.testing.conformance import VendorConformance

    assert hetero.testing.VendorConformance is VendorConformance
    assert {*hetero.testing.__all__} == {
        "VendorConformance",
        "fake_device",
        "fake_devices",
        "fake_node",
        "fake_vendor",
    }
    with pytest.raises(AttributeError, match=r"module 'hetero\.testing' has no attribute 'Conformance'"):
        _ = hetero.testing.Conformance
