"""Annotations for the vendors' own device plugins: of those that are named, with hetero's own untouched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from sent import Events, shown
from structlog.testing import capture_logs

from hetero.errors import InvalidValue, PluginError
from hetero.kube import objects, paths
from hetero.model import wire
from hetero.model.allocation import Grant
from hetero.model.annotations import PLACEMENT
from hetero.model.device import MEMORY, Device
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.scheduler.binder import Binder
from hetero.scheduler.cluster import Cluster
from hetero.scheduler.foreign import Foreign
from hetero.scheduler.posting import Posting
from hetero.scheduler.protocol import BindingArgs
from hetero.scheduler.recent import Recent
from hetero.scheduler.telling import Telling
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import MEMORY_MIB, FakeSplitting, fake_device, fake_node, fake_vendor
from hetero.vendor import Vendor

DEVICES = {
    one.uuid: one for name in ("fake", "other") for one in (fake_device(0, vendor=name), fake_device(1, vendor=name))
}


class Telltale(FakeSplitting):
    """Tells its plugin the numbers and the memory of each container's devices, as real ones do."""

    def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
        said = ";".join(
            f"{name}:{','.join(f'{grant.device.index}={grant.share.memory}' for grant in grants)}"
            for name, grants in containers.items()
        )
        return {f"{self._vendor}.example/allocated": said}


class Says(FakeSplitting):
    """Says what the test wants; an error is raised."""

    def __init__(self, answer: Any) -> None:
        super().__init__("fake")
        self.answer = answer

    def annotations(self, containers: Mapping[str, Sequence[Grant]]) -> Mapping[str, str]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _vendor(name: str = "fake") -> Vendor:
    return replace(fake_vendor(name), splitting=Telltale(name))


def _share(device: str, memory: int = 100) -> DeviceShare:
    return DeviceShare(vendor=device.split("-", maxsplit=1)[0], device=device, share=Share(quantities={MEMORY: memory}))


def _placement(*, init: Mapping[str, Sequence[DeviceShare]] | None = None, **held: Sequence[DeviceShare]) -> Placement:
    def of(containers: Mapping[str, Sequence[DeviceShare]]) -> tuple[ContainerPlacement, ...]:
        return tuple(ContainerPlacement(container=name, devices=tuple(one)) for name, one in containers.items())

    return Placement(namespace="n", pod="p", node="a", containers=of(held), init_containers=of(init or {}), uid="u")


def _device(_: str, uuid: str) -> Device | None:
    return DEVICES.get(uuid)


def foreign(*names: str, vendors: Mapping[str, Vendor] | None = None) -> Foreign:
    """For two vendors, of which these are served by their own plugins."""
    return Foreign(vendors or {name: _vendor(name) for name in ("fake", "other")}, names, _device)


def test_nothing_is_added_unless_a_vendor_is_named() -> None:
    """Hetero's agent reads the placement alone."""
    assert foreign().annotations(_placement(main=[_share("fake-0")])) == {}


def test_the_vendors_that_are_named_say_what_their_plugins_read() -> None:
    """Each of its own devices alone, by container, init containers first; others say nothing."""
    placement = _placement(
        init={"load": [_share("fake-1", 7)]},
        main=[_share("fake-0"), _share("other-1"), _share("fake-1", 50)],
        side=[_share("other-0")],
        idle=[],
    )
    fake = {"fake.example/allocated": "load:1=7;main:0=100,1=50"}
    other = {"other.example/allocated": "main:1=100;side:0=100"}
    assert foreign("fake").annotations(placement) == fake
    assert foreign("other").annotations(placement) == other
    assert foreign("other", "fake").annotations(placement) == {**fake, **other}


def test_a_pod_without_devices_of_such_a_vendor_is_left_alone() -> None:
    """The vendor is not even asked."""
    vendors = {"fake": replace(fake_vendor(), splitting=Says(ValueError("asked"))), "other": _vendor("other")}
    assert foreign("fake", vendors=vendors).annotations(_placement(main=[_share("other-0")], idle=[])) == {}


def test_a_vendor_without_a_plugin_of_its_own_says_nothing() -> None:
    """The default of the interface."""
    assert foreign("fake", vendors={"fake": fake_vendor()}).annotations(_placement(main=[_share("fake-0")])) == {}


def test_a_vendor_that_is_not_installed_is_refused_at_start() -> None:
    """With the setting, the name, and the names that there are."""
    with pytest.raises(
        InvalidValue, match=r"vendors.foreign: 'acme' is no installed vendor \(there are: fake, other\)"
    ):
        foreign("acme")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (ValueError("oops"), "annotations failed with ValueError: oops"),
        (None, "annotations failed with AttributeError"),
        ({"a/b": 1}, "it gave the annotation 'a/b' the value 1, which is no text"),
        ({3: "x"}, "it gave the annotation 3 the value 'x', which is no text"),
    ],
)
def test_a_vendor_that_cannot_say_it_is_named(answer: Any, says: str) -> None:
    """Its plugin would not know what to give the pod."""
    vendors = {"fake": replace(fake_vendor(), splitting=Says(answer))}
    with pytest.raises(PluginError, match="plugin fake: ") as caught:
        foreign("fake", vendors=vendors).annotations(_placement(main=[_share("fake-0")]))
    assert says in str(caught.value)


def test_a_device_that_is_gone_cannot_be_told() -> None:
    """The node's inventory has changed since the pod was placed."""
    with pytest.raises(PluginError, match="device fake-9 of node a is not there any more"):
        foreign("fake").annotations(_placement(main=[_share("fake-9")]))


def test_heteros_own_annotations_are_no_vendors() -> None:
    """A placement that a vendor wrote would count."""
    said = {PLACEMENT: "mine", "hetero.io/other": "mine", "fake.example/x": "1"}
    vendors = {"fake": replace(fake_vendor(), splitting=Says(said))}
    with capture_logs() as lines:
        assert foreign("fake", vendors=vendors).annotations(_placement(main=[_share("fake-0")])) == {
            "fake.example/x": "1"
        }
    assert [(line["vendor"], line["log_level"]) for line in lines] == [("fake", "error")]


class Desk:
    """A binder at an API server, with one node, and a vendor that says what the test wants."""

    def __init__(self, server: ApiServer, pod, splitting: FakeSplitting) -> None:
        vendors = {"fake": replace(fake_vendor(), splitting=splitting)}
        self._server, self._pod, self.events = server, pod, Events()
        self.cluster = Cluster(vendors)
        self.cluster.nodes.replace([shown(fake_node("a", 1))])
        posting = Posting(server.api(timeout=2.0), wait=lambda _: None)
        told = Foreign(vendors, ["fake"], self.cluster.device).annotations
        telling = Telling(self.events, success=False)
        self._binder = Binder(self.cluster, Recent(), posting, telling, lambda: True, annotations=told)

    def bind(self, name: str, memory: int | None = 1000) -> str:
        """Create a pod and bind it to the node; why not, or empty."""
        self._server.put(paths.pods("default"), msgspec.to_builtins(self._pod(name, memory, uid="")))
        uid = self.read(name).metadata.uid
        return self._binder.bind(BindingArgs(pod_name=name, pod_namespace="default", pod_uid=uid, node="a"))

    def read(self, name: str) -> objects.Pod:
        """The pod as the API server has it."""
        return msgspec.json.decode(self._server.api().get(paths.pod("default", name)), type=objects.Pod)

    def free(self) -> int:
        """MiB that are left on the device."""
        return self.cluster.planner.free_quantities()["a"]["fake-0"][MEMORY]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server in memory."""
    with ApiServer() as server:
        yield server


def test_a_binding_has_both_and_the_placement_wins(server: ApiServer, pod) -> None:
    """One transaction: a plugin never sees a pod that has its node and not its devices."""
    desk = Desk(server, pod, Telltale("fake"))
    assert desk.bind("x") == ""
    notes = desk.read("x").metadata.notes
    assert notes["fake.example/allocated"] == "c:0=1000"
    assert wire.decode(notes[PLACEMENT], Placement).node == "a"
    assert desk.bind("plain", None) == ""
    assert "fake.example/allocated" not in desk.read("plain").metadata.notes


def test_a_pod_whose_annotations_cannot_be_made_is_not_bound(server: ApiServer, pod) -> None:
    """It would run without its limits; the reason is told, and its room is anyone's again."""
    desk = Desk(server, pod, Says(ValueError("oops")))
    assert desk.bind("x") == "plugin fake: annotations failed with ValueError: oops"
    assert desk.read("x").spec.node_name is None
    assert desk.free() == MEMORY_MIB
    assert "oops" in desk.events.posted[0][3]


def test_devices_are_those_that_the_nodes_tell_of(server: ApiServer, pod) -> None:
    """As their drivers describe them; one that is not there, or not any more, is none."""
    cluster = Desk(server, pod, Telltale("fake")).cluster
    assert cluster.device("a", "fake-0") == fake_device(0)
    assert (cluster.device("a", "fake-1"), cluster.device("b", "fake-0")) == (None, None)
    cluster.nodes.replace([])
    assert cluster.device("a", "fake-0") is None
