"""``hetero doctor`` in an agent's container looks at what the agent uses."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hetero.agent.records import PodSlice, Records
from hetero.allocation.inotify import Inotify
from hetero.cli import doctor_node
from hetero.config import AgentSettings
from hetero.errors import DriverFailed
from hetero.model.allocation import Grant, Slice
from hetero.model.share import Share
from hetero.testing.fake import fake_device
from hetero.vendor import Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Install, VendorMaker, Write


class Node:
    """The folders of an agent, as its configuration has them."""

    def __init__(self, place: Path) -> None:
        self.place = place
        for name in ("run", "cdi", "lib", "plugins"):
            (place / name).mkdir()
        (place / "plugins/kubelet.sock").touch()

    def settings(self, **changed: str) -> AgentSettings:
        """As the chart writes them; some may be others."""
        usual = {
            "run_dir": str(self.place / "run"),
            "cdi_dir": str(self.place / "cdi"),
            "library_dir": str(self.place / "lib"),
            "kubelet_dir": str(self.place / "plugins"),
        }
        return AgentSettings(**(usual | changed))

    def found(self, **changed: str) -> dict[str, tuple[str, str]]:
        """State and detail by part."""
        rows = doctor_node.folders(self.settings(**changed))
        return {row["part"]: (row["state"], row["detail"]) for row in rows}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """In order."""
    (tmp_path / "node").mkdir()
    return Node(tmp_path / "node")


def test_a_container_is_an_agents_where_the_chart_says_so() -> None:
    """A person's pod may know its node too, and has slices of its own."""
    assert doctor_node.node({"NODE_NAME": "desk", "HETERO_AGENT_NAME": ""}) == "desk"
    assert doctor_node.node({"NODE_NAME": "desk"}) == doctor_node.node({}) == ""


def test_the_agents_folders_are_looked_at_and_no_users(
    *, hetero: Hetero, node: Node, write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its configuration; of a user's directory for slices there is not a word, and it is not made."""
    own = node.settings()
    named = {name: getattr(own, name) for name in ("run_dir", "cdi_dir", "library_dir", "kubelet_dir")}
    monkeypatch.setenv("HETERO_AGENT_NAME", "")
    monkeypatch.setenv("NODE_NAME", "desk")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path / "user"))
    answer = hetero("--config", write({"agent": named}), "doctor", "--output", "json")
    rows = {row["part"]: row for row in answer.json["findings"]}
    assert rows["slices"]["detail"] == f"kept in {node.place}/run"
    assert {rows[part]["state"] for part in ("slices", "CDI folder", "library folder", "kubelet", "inotify")} == {"ok"}
    assert not (tmp_path / "user").exists()


def test_what_is_missing_is_made_when_it_is_needed(node: Node) -> None:
    """By the agent, where the folder above it can be written; the kubelet's is the kubelet's."""
    shutil.rmtree(node.place / "cdi")
    shutil.rmtree(node.place / "plugins")
    found = node.found()
    assert found["CDI folder"] == (
        "ok",
        f"specifications go into {node.place}/cdi, which is made when it is needed",
    )
    assert found["kubelet"] == (
        "problem",
        f"{node.place}/plugins/kubelet.sock is not there: no kubelet serves device plugins in it",
    )
    assert not (node.place / "cdi").exists()


def test_what_cannot_be_written_is_a_problem(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the folder, and the setting where another one may be named."""
    (node.place / "run").rmdir()
    (node.place / "run").write_text("a file")
    assert node.found()["slices"] == ("problem", f"{node.place}/run is no directory")
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everything
    assert node.found()["CDI folder"] == ("problem", f"{node.place}/cdi cannot be written")


@pytest.mark.parametrize("call", ["__init__", "watch"])
def test_a_kernel_that_tells_of_no_changes_is_a_problem(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Queues or watches are all taken; the row names the settings of the machine."""

    def spent(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Inotify, call, spent)
    row = doctor_node.changes()
    assert (row["state"], "No space left on device" in row["detail"]) == ("problem", True)
    assert "fs.inotify.max_user_instances" in row["advice"]


def test_a_folder_that_was_removed_from_the_machine_is_a_problem(node: Node) -> None:
    """It looks as if it were there."""
    mount = os.open(node.place / "cdi", os.O_RDONLY)
    try:
        (node.place / "cdi").rmdir()
        state, detail = node.found(cdi_dir=f"/proc/self/fd/{mount}")["CDI folder"]
        assert (state, "was removed on the machine" in detail) == ("problem", True)
    finally:
        os.close(mount)


def test_a_device_that_a_container_holds_is_shown_while_its_driver_fails(
    *,
    hetero: Hetero,
    install: Install,
    node: Node,
    two_devices: Vendor,
    broken: VendorMaker,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The agent's records know it, as a user's slices do elsewhere."""
    device = fake_device(1)
    held = Slice(id="fake-1", grants=(Grant(device=device, share=Share(quantities={})),), directory="", region="")
    records = Records(node.place / "run")
    records.make("fake-1")
    records.write(PodSlice(vendor="fake", held=held, pod_uid="u", namespace="lab", pod="p", container="c"))
    install(replace(two_devices, discovery=broken("fake", DriverFailed("init", 9, "not loaded")).discovery))
    monkeypatch.setenv("HETERO_AGENT_NAME", "")
    monkeypatch.setenv("NODE_NAME", "desk")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    config: Any = {"agent": {"run_dir": str(node.place / "run")}}
    answer = hetero("--config", write(config), "doctor", "--output", "json")
    details = {row["part"]: row["detail"] for row in answer.json["findings"]}
    assert details["fake device 1"] == "Fake F1: init answered 9 (not loaded)"
