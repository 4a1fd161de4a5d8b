"""A node for tests: an API server in memory, a kubelet, a container runtime, and devices that a test may break."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from hetero.agent.service import Agent, Place
from hetero.allocation.held import Held
from hetero.config import AgentSettings, Settings
from hetero.errors import EnforcementError
from hetero.kube import paths
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.device import Device, Health, Sample
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import FakeDiscovery, FakeEnforcement, fake_devices, fake_vendor
from hetero.testing.kubelet import FakeKubelet
from hetero.testing.kubelet_runtime import FakeRuntime
from hetero.vendor import Vendor

RUNTIME = "containerd://2.2.9"
RESOURCE = "fake.example/npu"
DAEMONSETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"


class Breakable(FakeDiscovery):
    """Devices whose health a test sets; by identity, the reason why one is not well."""

    def __init__(self, devices: list[Device]) -> None:
        super().__init__(devices)
        self.ill: dict[str, str] = {}

    def sample(self) -> list[Sample]:
        return [
            Sample(
                uuid=one.uuid,
                memory_used=0,
                health=Health(ok=one.uuid not in self.ill, reason=self.ill.get(one.uuid, "")),
            )
            for one in self.devices()
        ]

    def devices(self) -> list[Device]:
        found = super().devices()
        return [
            msgspec.structs.replace(one, health=Health(ok=one.uuid not in self.ill, reason=self.ill.get(one.uuid, "")))
            for one in found
        ]


class Instances(FakeEnforcement):
    """Hardware instances: so many at a time, each made once and destroyed at release."""

    def __init__(self, most: int = 100, *, region: bool = True) -> None:
        super().__init__("fake", region=region)
        self.most = most
        self.made: set[str] = set()

    def prepare(self, held: Slice) -> ContainerEdits:
        if held.id not in self.made and len(self.made) >= self.most:
            raise EnforcementError("no instance is free")
        self.made.add(held.id)
        return super().prepare(held)

    def release(self, held: Slice) -> None:
        self.made.discard(held.id)
        super().release(held)


class Desk:
    """The node ``desk`` and its agent.

    Args:
        place: A directory with a short path.
        server: An API server that runs.
        devices: How many.
    """

    def __init__(self, place: Path, server: ApiServer, devices: int = 2) -> None:
        self.place, self.server, self.api = place, server, server.api()
        self.kubelet = FakeKubelet(place / "dp")
        self.runtime = FakeRuntime(place / "cdi")
        self.discovery = Breakable(fake_devices(devices))
        self.enforcement = Instances()
        self.vendor: Vendor = replace(fake_vendor("fake"), discovery=self.discovery, enforcement=self.enforcement)
        self.agents: list[Agent] = []
        self.put_node()
        server.put(DAEMONSETS, {"metadata": {"name": "hetero-agent"}})

    def put_node(self, runtime: str = RUNTIME) -> None:
        """Make the node, or say that its runtime is another."""
        status = {"nodeInfo": {"containerRuntimeVersion": runtime}, "capacity": {"cpu": "8"}}
        self.server.put(paths.NODES, {"metadata": {"name": "desk"}, "status": status})

    def start(self, **changed: Any) -> Agent:
        """A new agent process, so to speak: nothing of an earlier one is in it."""
        usual = {
            "kubelet_dir": str(self.place / "dp"),
            "cdi_dir": str(self.place / "cdi"),
            "run_dir": str(self.place / "run"),
            "library_dir": str(self.place / "lib"),
            "sample_seconds": 0.05,
        }
        own = AgentSettings(**(usual | changed))
        place = Place(node="desk", namespace="kube-system", daemonset="hetero-agent")
        agent = Agent(self.api, {"fake": self.vendor}, Settings(agent=own), place)
        agent.start()
        self.agents.append(agent)
        return agent

    def ready(self, agent: Agent) -> None:
        """Wait until it says so, and the kubelet has read its list."""
        self.wait(lambda: not agent.waiting() and self.kubelet.allocatable(RESOURCE) > 0)

    @staticmethod
    def wait(condition: Callable[[], bool], seconds: float = 120.0) -> None:
        """Until a condition holds; looked at every few milliseconds, for so many seconds at most."""
        pause = threading.Event()
        for _ in range(int(seconds / 0.01)):
            if condition():
                return
            pause.wait(0.01)
        raise AssertionError("it did not come to pass")

    def close(self) -> None:
        """End the agents, and what they talk to."""
        for agent in self.agents:
            agent.stop()
        self.api.close()

    @property
    def node(self) -> dict[str, Any]:
        """The node as the API has it."""
        return msgspec.json.decode(self.api.get(paths.node("desk")))  # type: ignore[no-any-return]

    def events(self, reason: str) -> list[str]:
        """Messages of events."""
        return [one["message"] for one in self.server.objects("/api/v1/events") if one["reason"] == reason]

    def run(self, held: Held) -> list[str]:
        """Start a container as the kubelet does, and tell which variables the runtime gives it."""
        self.kubelet.start_container(held.pod_uid, held.container, 30)
        return [env for edits in self.runtime.create(*held.cdi_names) for env in edits.get("env", ())]

    def slices(self) -> list[str]:
        """Directories of slices."""
        place = self.place / "run/slices"
        return sorted(path.name for path in place.iterdir()) if place.exists() else []

    def specs(self) -> list[str]:
        """CDI specifications."""
        return sorted(path.name for path in (self.place / "cdi").glob("*.json"))
