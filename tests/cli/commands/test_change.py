"""``hetero change``: another priority for a slice that runs, on one machine and on a node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hetero.agent.records import REGION, PodSlice, Records
from hetero.enforcement import region
from hetero.enforcement.limits import limits_of
from hetero.enforcement.slices import SliceStore
from hetero.model.allocation import Grant, Slice
from hetero.testing.fake import fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Holder, Install, ShareMaker


@pytest.fixture
def regional(install: Install) -> Vendor:
    """A vendor whose slices have regions."""
    vendor = fake_vendor(devices=fake_devices(2, memory=12288), region=True)
    install(vendor)
    return vendor


def test_a_slice_of_this_machine_gets_another_priority(
    hetero: Hetero, regional: Vendor, hold: Holder, share: ShareMaker
) -> None:
    """Its record has it, by which it is looked at, and its region, for whoever lends; all else stays."""
    before = hold(regional, share(memory=2048, cores=30))
    answer = hetero("change", before.held.id, "--priority", "0")
    assert (answer.code, answer.out) == (0, "")
    path = Path(before.held.region)
    after = SliceStore(path.parents[2]).read(before.held.id)
    assert after is not None
    assert (after.held.priority, after.held.grants, after.command) == (0, before.held.grants, before.command)
    assert region.read(path).devices[0].priority == 0
    assert region.read(path).devices[0].core_limit == 30


def test_a_container_on_a_node_gets_another_priority(
    hetero: Hetero, regional: Vendor, share: ShareMaker, tmp_path: Path
) -> None:
    """Where the agent keeps it, which the configuration says."""
    records = Records(tmp_path / "node")
    held = Slice(
        id="fake-1234",
        grants=(Grant(device=fake_device(), share=share(memory=2048, cores=30).share),),
        directory="/run/hetero",
        region="/run/hetero/region",
    )
    path = records.make(held.id) / REGION
    region.create(path, limits_of(held))
    records.write(PodSlice(vendor="fake", held=held, pod_uid="u", namespace="n", pod="p", container="c"))
    (tmp_path / "config.yaml").write_text(f"agent: {{run_dir: {tmp_path / 'node'}}}\n")
    answer = hetero("--config", str(tmp_path / "config.yaml"), "change", held.id, "--priority", "7")
    assert answer.code == 0, answer.err
    after = records.read(held.id)
    assert after is not None
    assert after.held.priority == 7
    assert region.read(path).devices[0].priority == 7


@pytest.mark.parametrize("name", ["nobody", "../slices", "a b", ""])
def test_what_is_no_slice_is_refused(hetero: Hetero, regional: Vendor, name: str) -> None:
    """In one sentence; no name leads to another directory."""
    answer = hetero("change", name, "--priority", "0")
    assert answer.code == 2
    assert "is no slice of this machine" in answer.err


@pytest.mark.parametrize("priority", ["-1", "101"])
def test_a_priority_that_is_none_is_refused(hetero: Hetero, regional: Vendor, priority: str) -> None:
    """0 to 100."""
    answer = hetero("change", "any", "--priority", priority)
    assert answer.code == 2
    assert "write a number from 0" in answer.err
