"""On a cluster that stands still, every figure of a page is the ledger's or a report's: no page has its own truth."""

from __future__ import annotations

from collections.abc import Iterator
from math import fsum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world import NOW, World

from hetero.kube import objects
from hetero.kube.objects import Metadata, QuotaSpec
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Health, Node
from hetero.model.placement import Placement
from hetero.monitoring.report import NodeReport, SliceReport
from hetero.placement.quota import amounts
from hetero.scheduler import ledger
from hetero.testing.fake import fake_device
from hetero.testing.reports import Placed, report
from hetero.web import cards, nodes, overview, quotas, workloads
from hetero.web.detail import Details
from hetero.web.pages import pages
from hetero.web.queries import CardsQuery, NodesQuery, Query, QuotasQuery, WorkloadsQuery
from hetero.web.records import Amount, Card

MIB = 1 << 20

CARD = st.builds(
    lambda vendor, memory, ok: (vendor, memory, Health(ok=ok, reason="" if ok else "broken")),
    st.sampled_from(["fake", "other"]),
    st.integers(1, 8).map(lambda gib: gib * 1024),
    st.sampled_from([True, True, True, False]),
)
ASK = st.fixed_dictionaries(
    {"npu": st.integers(1, 2), "npumem": st.integers(1, 4096)}, optional={"npucores": st.integers(0, 100)}
)
POD = st.tuples(st.sampled_from(["fake", "other"]), st.sampled_from(["default", "team"]), ASK, st.booleans())


@st.composite
def worlds(draw: Any) -> tuple[World, dict[str, NodeReport]]:
    """A cluster with pods where the planner put them, and reports of some of its nodes."""
    world = World()
    shape = draw(st.lists(st.lists(CARD, max_size=4), max_size=4))
    described = [Node(name=f"n{place}", devices=tuple(_devices(one))) for place, one in enumerate(shape)]
    for node in described:
        world.node(node)
    for place, (vendor, namespace, ask, init) in enumerate(draw(st.lists(POD, max_size=12))):
        limits = {f"{vendor}.example/{name}": str(amount) for name, amount in ask.items()}
        world.place(f"p{place}", limits, namespace=namespace, init=limits if init else None)
    reports = {}
    for node in described:
        if draw(st.booleans()):
            there = [one for one in ledger.ledger(world.state.cluster).pods.values() if one.node == node.name]
            reports[node.name] = report(node, [Placed(one, None, NOW - 60) for one in there], now=NOW)
            world.report(reports[node.name])
    return world, reports


def _devices(kinds: list[tuple[str, int, Health]]) -> Iterator[Device]:
    for index, (vendor, memory, health) in enumerate(kinds):
        yield fake_device(index, vendor=vendor, memory=memory, health=health, model=f"F{memory}")


def every_card(scene: Any) -> list[Card]:
    """Page by page."""
    found: list[Card] = []
    while True:
        page = cards.cards(scene, CardsQuery(limit=3, offset=len(found)))
        found += page.items
        if len(found) >= page.total:
            return found


def total(parts: list[Amount]) -> Amount:
    """What amounts come to together."""
    used = [one.used for one in parts if one.used is not None]
    return Amount(
        capacity=fsum(one.capacity for one in parts),
        allocated=fsum(one.allocated for one in parts),
        used=fsum(used) if used else None,
        known=fsum(one.known for one in parts),
        shared=fsum(one.shared for one in parts),
    )


def same(one: Amount, other: Amount) -> None:
    """Whole numbers exactly; ratios that were summed up in another order nearly."""
    assert (one.capacity, one.known) == (other.capacity, other.known)
    assert one.allocated == pytest.approx(other.allocated, rel=1e-12)
    assert one.shared == pytest.approx(other.shared, rel=1e-12)
    assert (one.used is None) == (other.used is None)
    assert one.used is None or one.used == pytest.approx(other.used, rel=1e-9)


@settings(max_examples=12, deadline=None)
@given(worlds())
def test_every_card_is_as_the_ledger_and_its_nodes_report_have_it(
    made: tuple[World, dict[str, NodeReport]],
) -> None:
    """Capacity, what is promised, what is used, and each slice; all pages together have each card once."""
    world, reports = made
    scene, books = world.state.scene(), ledger.ledger(world.state.cluster)
    shown = every_card(scene)
    assert [(one.node, one.uuid) for one in shown] == sorted(
        ((node, uuid) for node, devices in books.free.items() for uuid in devices),
        key=lambda pair: (pair[0], _order(world, *pair)),
    )
    for card in shown:
        device = world.state.cluster.device(card.node, card.uuid)
        assert device is not None
        free, capacity = books.free[card.node][card.uuid], device.model.capacity
        assert (card.slots, card.slots_used) == (capacity[SLOTS], capacity[SLOTS] - free[SLOTS])
        assert (card.memory.capacity, card.memory.allocated) == (
            capacity[MEMORY] * MIB,
            (capacity[MEMORY] - free[MEMORY]) * MIB,
        )
        assert (card.compute.capacity, card.compute.allocated) == (1, (100 - free[CORES]) / 100)
        without = any(not one.compute for one in card.slices)
        assert card.compute.shared == (pytest.approx(free[CORES] / 100) if without else 0)
        assert card.memory.shared == 0
        assert (card.healthy, card.model, card.vendor) == (device.health.ok, device.model.name, device.model.vendor)
        _used_as_reported(card, reports.get(card.node))


def _order(world: World, node: str, uuid: str) -> tuple[str, int]:
    device = world.state.cluster.device(node, uuid)
    assert device is not None
    return device.model.vendor, device.index


def _used_as_reported(card: Card, said: NodeReport | None) -> None:
    if said is None:
        assert (card.memory.used, card.compute.used, card.memory.known) == (None, None, 0)
        assert all(one.memory_used is None for one in card.slices)
        return
    [device] = [one for one in said.devices if one.uuid == card.uuid]
    assert (card.memory.used, card.compute.used) == (device.memory_used, device.utilization)
    assert (card.temperature, card.power) == (device.temperature, device.power)
    slices = [one for one in said.slices if one.device == card.uuid]
    assert sorted(_figures(one) for one in slices) == sorted(
        (one.pod, one.container, one.memory_used, one.compute_used, one.priority) for one in card.slices if one.running
    )


def _figures(one: SliceReport) -> tuple[Any, ...]:
    return one.pod, one.container, one.memory_used, one.compute_used, one.priority


@settings(max_examples=12, deadline=None)
@given(worlds())
def test_sums_are_those_of_their_parts(made: tuple[World, dict[str, NodeReport]]) -> None:
    """The overview's of its vendors' cards, a node's of its own; counts too."""
    world, _ = made
    scene = world.state.scene()
    shown, first = every_card(scene), overview.overview(scene)
    assert first.cards == len(shown)
    assert first.nodes == len({one.node for one in shown})
    assert [one.vendor for one in first.vendors] == sorted({one.vendor for one in shown})
    for vendor in first.vendors:
        own = [one for one in shown if one.vendor == vendor.vendor]
        same(vendor.memory, total([one.memory for one in own]))
        same(vendor.compute, total([one.compute for one in own]))
        assert vendor.nodes == len({one.node for one in own})
        assert (vendor.cards, vendor.slices) == (len(own), sum(len(one.slices) for one in own))
        assert vendor.unhealthy == sum(not one.healthy for one in own)
        assert vendor.idle == sum(one.healthy and not one.slots_used for one in own)
    listed = nodes.nodes(scene, NodesQuery(limit=200))
    assert listed.total == first.nodes == len(listed.items)
    for node in listed.items:
        detail = nodes.node(scene, node.name)
        assert detail is not None
        assert detail.node == node
        assert list(detail.cards) == [one for one in shown if one.node == node.name]
        same(node.memory, total([one.memory for one in detail.cards]))
        same(node.compute, total([one.compute for one in detail.cards]))
        assert (node.cards, node.slices) == (len(detail.cards), sum(len(one.slices) for one in detail.cards))


@settings(max_examples=12, deadline=None)
@given(worlds())
def test_every_workload_is_as_its_placement_and_report_have_it(
    made: tuple[World, dict[str, NodeReport]],
) -> None:
    """What it was promised, card by card, and what it uses; those that wait hold nothing."""
    world, reports = made
    scene, books = world.state.scene(), ledger.ledger(world.state.cluster)
    found = workloads.workloads(scene, WorkloadsQuery(limit=200))
    details = Details(world.state.cluster, "hetero-scheduler")
    placed = {(one.namespace, one.pod): one for one in books.pods.values()}
    waiting = [one for one in found.items if one.state == "waiting"]
    assert {(one.namespace, one.pod) for one in found.items} - set(placed) == {
        (one.namespace, one.pod) for one in waiting
    }
    assert overview.overview(scene).workloads == len(placed)
    assert overview.overview(scene).waiting_total == len(waiting)
    for one in found.items:
        detail = details.of(scene, one.namespace, one.pod)
        assert detail is not None
        assert detail.workload == one
        placement = placed.get((one.namespace, one.pod))
        if placement is None:
            assert (detail.held, one.node) == ((), "")
            continue
        _held_as_placed(one, detail.held, placement)
        said = reports.get(one.node)
        assert one.state == ("running" if said is not None else "placed")
        used = [part.memory_used for part in said.slices if part.pod_uid == placement.uid] if said else []
        assert one.memory.used == (sum(part or 0 for part in used) if used else None)


def _held_as_placed(one: Any, held: Any, placement: Placement) -> None:
    shares = [share for container in placement.containers for share in container.devices]
    assert [(part.card, part.memory, part.compute) for part in held][: len(shares)] == [
        (share.device, share.share.memory * MIB, share.share.cores / 100) for share in shares
    ]
    assert one.memory.capacity == one.memory.allocated == sum(part.memory for part in held)
    assert one.node == placement.node


@settings(max_examples=12, deadline=None)
@given(worlds(), st.integers(0, 5000))
def test_quotas_count_what_the_namespaces_pods_hold(made: tuple[World, dict[str, NodeReport]], limit: int) -> None:
    """In MiB, percent and devices."""
    world, _ = made
    hard = {f"limits.fake.example/{name}": str(limit) for name in ("npu", "npumem", "npucores")}
    world.state.cluster.quotas.put(objects.ResourceQuota(Metadata(name="q", namespace="team"), QuotaSpec(hard=hard)))
    held = [amounts(one) for one in ledger.ledger(world.state.cluster).pods.values() if one.namespace == "team"]
    found = quotas.quotas(world.state.scene(), QuotasQuery())
    dimensions = {"fake.example/npu": "devices", "fake.example/npumem": MEMORY, "fake.example/npucores": CORES}
    assert {one.resource: (one.limit, one.used) for one in found.items} == {
        resource: (limit, sum(one.get(("fake", "", what), 0) for one in held)) for resource, what in dimensions.items()
    }


@settings(max_examples=6, deadline=None)
@given(worlds())
def test_a_page_is_the_same_of_the_same_moment(made: tuple[World, dict[str, NodeReport]]) -> None:
    """Whatever was looked at before, and whether the ledger's copy is new or an old one brought up to date."""
    world, _ = made
    before = world.state.scene()
    first = [page.make(before, {}, page.query()) for page in pages(_details(world)) if "{" not in page.path]
    world.place("more", {"fake.example/npumem": "1"})
    world.state.scene()
    world.state.pods.replace([one for one in world.shown() if one.metadata.name != "more"])
    after = world.state.scene()
    again = [page.make(after, {}, page.query()) for page in pages(_details(world)) if "{" not in page.path]
    assert again == first


def _details(world: World) -> Details:
    return Details(world.state.cluster, "hetero-scheduler")


def test_the_query_of_a_page_without_parameters_has_none() -> None:
    """So that a slip is told there as well."""
    assert Query().__struct_fields__ == ()
