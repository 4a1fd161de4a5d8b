"""What holds for every cluster and every pod, found by trying many."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, Health, Inventory, Node, Quantities
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement, Unplaced
from hetero.model.share import Share
from hetero.placement import Planner
from hetero.testing.fake import fake_device, fake_vendor
from hetero.vendor import Vendor

VENDORS: dict[str, Vendor] = {name: fake_vendor(name) for name in ("fake", "other")}
MODELS = {"F1": 16, "F2 Ultra": 40}
POLICIES = ("binpack", "spread")
MANY = settings(max_examples=60, deadline=None)  # no deadline: a busy machine proves nothing

# Clusters and pods, small enough that they get in each other's way, and sane enough that most are placed


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual value six times in ten or so."""
    return st.sampled_from([usual] * (6 if len(others) < 4 else 4) + list(others))


@st.composite
def devices(draw: st.DrawFn, index: int) -> Device:
    """A device of either vendor and model, on one of few NUMA nodes, at times unhealthy."""
    model = draw(st.sampled_from(sorted(MODELS)))
    ok = draw(mostly(True, False))
    return fake_device(
        index,
        vendor=draw(mostly("fake", "other")),
        model=model,
        memory=MODELS[model],
        numa=draw(st.integers(-1, 1)),
        health=Health(ok=ok, reason="" if ok else "lost"),
    )


@st.composite
def inventories(draw: st.DrawFn) -> Inventory:
    """Up to three nodes, in any order, with up to four devices each."""
    names = draw(st.permutations(["a", "b", "c"]))[: draw(st.integers(1, 3))]
    sizes = [draw(mostly(4, 0, 1, 2, 3)) for _ in names]
    return Inventory(
        nodes=tuple(
            Node(name=name, devices=tuple(draw(devices(index)) for index in range(size)))
            for name, size in zip(names, sizes, strict=True)
        )
    )


IDENTITIES = st.lists(st.sampled_from(["fake-0", "fake-1", "fake-2", "other-1"]), max_size=2).map(tuple)
WORDS = st.lists(st.sampled_from(["f1", "ultra", "F9"]), max_size=1).map(tuple)

SELECTIONS = mostly(
    st.just(Selection()),
    st.builds(Selection, use_models=WORDS),
    st.builds(Selection, avoid_models=WORDS, avoid_devices=IDENTITIES),
    st.builds(Selection, use_devices=IDENTITIES, same_numa=st.booleans()),
).flatmap(lambda strategy: strategy)

SIZES = mostly(
    st.integers(1, 12).map(lambda memory: {"memory": memory}),
    st.integers(1, 60).map(lambda percentage: {"memory_percentage": percentage}),
    st.integers(1, 50).map(lambda memory: {"memory": memory}),
    st.just({}),
).flatmap(lambda strategy: strategy)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """An ask of either vendor, or of one that nobody has heard of."""
    return Ask(
        vendor=draw(mostly("fake", "fake", "other", "nobody")),
        count=draw(mostly(1, 2, 3)),
        cores=draw(mostly(0, 10, 30, 50, 99, 100)),
        selection=draw(SELECTIONS),
        **draw(SIZES),
    )


@st.composite
def containers(draw: st.DrawFn, letter: str) -> tuple[ContainerAsk, ...]:
    """Up to three containers with up to two asks each."""
    sizes = draw(st.lists(mostly(1, 0, 2), max_size=3))
    return tuple(
        ContainerAsk(name=f"{letter}{index}", asks=tuple(draw(asks()) for _ in range(size)))
        for index, size in enumerate(sizes)
    )


@st.composite
def pods(draw: st.DrawFn, name: str = "pod") -> PodAsk:
    """A pod of several containers and init containers."""
    return PodAsk(
        name=name,
        containers=draw(containers("c")),
        init_containers=draw(containers("i")),
        node_policy=draw(st.sampled_from(["", *POLICIES])),
        device_policy=draw(st.sampled_from(["", *POLICIES])),
    )


@st.composite
def crowds(draw: st.DrawFn) -> list[PodAsk]:
    """Several pods of different names."""
    return [draw(pods(name=f"pod-{index}")) for index in range(draw(st.integers(2, 7)))]


@st.composite
def simple_pods(draw: st.DrawFn, name: str = "pod") -> PodAsk:
    """One container with one ask."""
    return PodAsk(
        name=name,
        containers=(ContainerAsk(name="c", asks=(draw(asks()),)),),
        node_policy=draw(st.sampled_from(POLICIES)),
        device_policy=draw(st.sampled_from(POLICIES)),
    )


def _planner(inventory: Inventory) -> Planner:
    return Planner(inventory, VENDORS)


def _filled(inventory: Inventory, crowd: Sequence[PodAsk]) -> tuple[Planner, list[Placement]]:
    planner = _planner(inventory)
    decisions = [planner.place(pod) for pod in crowd]
    return planner, [one for one in decisions if isinstance(one, Placement)]


# An account of our own, in plain loops

Taken = dict[tuple[str, str], Quantities]
"""Node and device to amounts."""


def _add(taken: Taken, node: str, shares: Sequence[DeviceShare]) -> None:
    for share in shares:
        held = taken.setdefault((node, share.device), {})
        for name, amount in share.share.quantities.items():
            held[name] = held.get(name, 0) + amount


def _moments(placement: Placement) -> Iterator[Sequence[ContainerPlacement]]:
    """The containers that run at the same time, moment by moment."""
    for container in placement.init_containers:
        yield [container]
    yield placement.containers


def _greatest(placement: Placement) -> Taken:
    """What the pod takes at its greatest, in each dimension."""
    greatest: Taken = {}
    for moment in _moments(placement):
        taken: Taken = {}
        for container in moment:
            _add(taken, placement.node, container.devices)
        for device, amounts in taken.items():
            held = greatest.setdefault(device, {})
            for name, amount in amounts.items():
                held[name] = max(held.get(name, 0), amount)
    return greatest


def _sum(placements: Sequence[Placement]) -> Taken:
    total: Taken = {}
    for placement in placements:
        for device, amounts in _greatest(placement).items():
            held = total.setdefault(device, {})
            for name, amount in amounts.items():
                held[name] = held.get(name, 0) + amount
    return total


def _devices(inventory: Inventory) -> dict[tuple[str, str], Device]:
    return {(node.name, device.uuid): device for node in inventory.nodes for device in node.devices}


def _asked(pod: PodAsk, placement: Placement) -> Iterator[tuple[Ask, Sequence[DeviceShare]]]:
    """Each ask with the shares that it got."""
    for wanted, got in (
        *zip(pod.containers, placement.containers, strict=True),
        *zip(pod.init_containers, placement.init_containers, strict=True),
    ):
        assert wanted.name == got.container
        shares = iter(got.devices)
        for ask in wanted.asks:
            yield ask, [next(shares) for _ in range(ask.count)]
        assert next(shares, None) is None, "a share that nobody asked"


# The rules


@MANY
@given(inventories(), crowds())
def test_no_device_is_ever_over_its_capacity(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """In any dimension, whatever was placed."""
    _, placements = _filled(inventory, crowd)
    known = _devices(inventory)
    for device, amounts in _sum(placements).items():
        for name, amount in amounts.items():
            assert amount <= known[device].model.capacity[name], (device, name)


@MANY
@given(inventories(), crowds())
def test_what_is_free_is_what_was_not_placed(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """The planner's account is that of the placements it gave, to the unit."""
    planner, placements = _filled(inventory, crowd)
    taken = _sum(placements)
    assert planner.free_quantities() == {
        node.name: {
            device.uuid: {
                name: amount - taken.get((node.name, device.uuid), {}).get(name, 0)
                for name, amount in device.model.capacity.items()
            }
            for device in node.devices
        }
        for node in inventory.nodes
    }


@MANY
@given(inventories(), crowds())
def test_every_ask_gets_what_it_asked(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """So many different, healthy, selected devices of its vendor on one node, each with the vendor's own share."""
    planner, known = _planner(inventory), _devices(inventory)
    for pod in crowd:
        placement = planner.place(pod)
        if isinstance(placement, Placement):
            for ask, shares in _asked(pod, placement):
                chosen = [known[placement.node, share.device] for share in shares]
                assert len({device.uuid for device in chosen}) == ask.count
                assert all(_may_serve(ask, device) for device in chosen)
                splits = VENDORS[ask.vendor].splitting
                assert [share.share for share in shares] == [splits.split(device.model, ask) for device in chosen]
                if ask.selection.same_numa:
                    assert len({device.numa for device in chosen}) == 1


def _may_serve(ask: Ask, device: Device) -> bool:
    selection, name = ask.selection, device.model.name.lower()
    return (
        device.health.ok
        and device.model.vendor == ask.vendor
        and (not selection.use_devices or device.uuid in selection.use_devices)
        and device.uuid not in selection.avoid_devices
        and (not selection.use_models or any(word.lower() in name for word in selection.use_models))
        and not any(word.lower() in name for word in selection.avoid_models)
    )


@MANY
@given(inventories(), crowds())
def test_a_whole_device_has_one_program(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """No other container of any pod holds a share of it at the same time."""
    planner, held = _planner(inventory), []
    for pod in crowd:
        placement = planner.place(pod)
        if isinstance(placement, Placement):
            held.append((pod, placement))
    for pod, placement in held:
        for moment, exclusive in _exclusively(pod, placement):
            others = [device for _, other in held if other is not placement for device in _greatest(other)]
            assert (placement.node, exclusive) not in others
            here = [share.device for container in moment for share in container.devices]
            assert here.count(exclusive) == 1


def _exclusively(pod: PodAsk, placement: Placement) -> Iterator[tuple[Sequence[ContainerPlacement], str]]:
    """Each device that is given whole, with the containers that run meanwhile."""
    whole = {id(share) for ask, shares in _asked(pod, placement) if ask.exclusive for share in shares}
    for moment in _moments(placement):
        for container in moment:
            for share in container.devices:
                if id(share) in whole:
                    yield moment, share.device


@MANY
@given(inventories(), crowds())
def test_unlimited_compute_is_never_put_where_all_is_promised(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """When the pod comes, at least a percent of each such device is not promised to pods before it."""
    planner = _planner(inventory)
    for pod in crowd:
        before = planner.free_quantities()
        placement = planner.place(pod)
        if isinstance(placement, Placement):
            for ask, shares in _asked(pod, placement):
                if ask.cores == 0:
                    assert all(before[placement.node][share.device][CORES] > 0 for share in shares)


@MANY
@given(inventories(), crowds(), st.randoms(use_true_random=False))
def test_freeing_in_any_order_leaves_what_was_before(
    inventory: Inventory, crowd: list[PodAsk], chance: random.Random
) -> None:
    """And half-way it is what the remaining pods take, as a planner that never knew the others has it."""
    planner, placements = _filled(inventory, crowd)
    chance.shuffle(placements)
    half = len(placements) // 2
    for placement in placements[:half]:
        planner.free(placement)
    fresh = _planner(inventory)
    for placement in placements[half:]:
        fresh.charge(placement)
    assert planner.free_quantities() == fresh.free_quantities()
    for placement in placements[half:]:
        planner.free(placement)
    assert planner.free_quantities() == _planner(inventory).free_quantities()


@MANY
@given(inventories(), crowds())
def test_charging_again_changes_nothing(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """The cluster tells of a placement as often as it likes, in any order."""
    planner, placements = _filled(inventory, crowd)
    before = planner.free_quantities()
    for placement in (*placements, *reversed(placements)):
        planner.charge(placement)
    assert planner.free_quantities() == before


@MANY
@given(inventories(), crowds())
def test_unplaced_changes_nothing_and_every_node_says_why(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """Each with a sentence that names one of the pod's containers."""
    planner = _planner(inventory)
    for pod in crowd:
        before = planner.free_quantities()
        decision = planner.place(pod)
        if isinstance(decision, Unplaced):
            assert planner.free_quantities() == before
            assert set(decision.refusals) == {node.name for node in inventory.nodes}
            names = {f"container {one.name}: " for one in (*pod.containers, *pod.init_containers)}
            for refusal in decision.refusals.values():
                assert any(refusal.message.startswith(name) for name in names)
                assert not refusal.message.endswith((": ", "; "))


@MANY
@given(inventories(), crowds())
def test_reasons_agree_with_placement(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """A pod is unplaced exactly when all nodes refuse it, and it goes to none that does."""
    planner = _planner(inventory)
    for pod in crowd:
        refusals = planner.refusals(pod)
        decision = planner.place(pod)
        if isinstance(decision, Unplaced):
            assert decision.refusals == refusals
        else:
            assert decision.node not in refusals
            assert len(refusals) < len(inventory.nodes)


@MANY
@given(inventories(), crowds(), st.randoms(use_true_random=False))
def test_the_same_cluster_gives_the_same_answers(
    inventory: Inventory, crowd: list[PodAsk], chance: random.Random
) -> None:
    """However its nodes, and the devices of each node, are listed."""
    shuffled = Inventory(
        nodes=tuple(_shuffled(node, chance) for node in chance.sample(inventory.nodes, len(inventory.nodes)))
    )
    for again in (inventory, shuffled):
        one, other = _planner(inventory), _planner(again)
        for pod in crowd:
            assert one.place(pod) == other.place(pod)
        assert one.free_quantities() == other.free_quantities()


def _shuffled(node: Node, chance: random.Random) -> Node:
    return Node(name=node.name, devices=tuple(chance.sample(node.devices, len(node.devices))))


@MANY
@given(inventories(), crowds())
def test_a_pod_freed_and_placed_again_goes_to_the_same_place(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """The account remembers what is held and not what was."""
    planner, _ = _filled(inventory, crowd[:-1])
    first = planner.place(crowd[-1])
    if isinstance(first, Placement):
        assert planner.place(crowd[-1]) == first, "what it holds does not stand in its way"
        planner.free(first)
    assert planner.place(crowd[-1]) == first


# An oracle for one container with one ask


def _share(ask: Ask, device: Device, free: Quantities) -> Share | None:
    """The share of a device, if it can be given now."""
    if ask.vendor not in VENDORS or not _may_serve(ask, device):
        return None
    share = VENDORS[ask.vendor].splitting.split(device.model, ask)
    if not isinstance(share, Share):
        return None
    needed = {**share.quantities, CORES: max(1, share.cores)}
    return share if all(amount <= free[name] for name, amount in needed.items()) else None


def _fits(ask: Ask, node: Node, free: dict[str, Quantities]) -> bool:
    groups: dict[int, int] = {}
    for device in node.devices:
        if _share(ask, device, free[device.uuid]) is not None:
            numa = device.numa if ask.selection.same_numa else 0
            groups[numa] = groups.get(numa, 0) + 1
    return max(groups.values(), default=0) >= ask.count


def _full(pairs: Sequence[tuple[int, int]]) -> float:
    """The mean of used fractions over the dimensions that there are."""
    fractions = [used / capacity for used, capacity in pairs if capacity]
    return round(sum(fractions) / len(fractions), 6) if fractions else 0.0


def _good(policy: str, full: float) -> float:
    return full if policy == "binpack" else 1 - full


def _node_score(pod: PodAsk, node: Node, free: dict[str, Quantities]) -> float:
    """Fullness of the node with the ask on it, where each of its devices would give the same share."""
    (ask,) = pod.containers[0].asks
    share = next(
        share
        for device in sorted(node.devices, key=lambda one: (one.model.vendor, one.index))
        if (share := _share(ask, device, free[device.uuid])) is not None
    )
    pairs = []
    for name in (SLOTS, MEMORY, CORES):
        capacity = sum(device.model.capacity[name] for device in node.devices)
        used = capacity - sum(free[device.uuid][name] for device in node.devices)
        pairs.append((used + share.quantities[name] * ask.count, capacity))
    return _good(pod.node_policy, _full(pairs))


def _device_score(policy: str, ask: Ask, device: Device, free: Quantities) -> float:
    share = _share(ask, device, free)
    assert share is not None
    capacity = device.model.capacity
    full = _full([(capacity[name] - free[name] + share.quantities[name], capacity[name]) for name in capacity])
    return _good(policy, full)


@st.composite
def simple_crowds(draw: st.DrawFn) -> list[PodAsk]:
    """Several pods of one container with one ask."""
    return [draw(simple_pods(name=f"pod-{index}")) for index in range(draw(st.integers(3, 8)))]


@MANY
@given(inventories(), simple_crowds())
def test_plain_loops_find_the_same_fit_and_the_same_best_node(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """Columns and masks are only a quicker way of saying it."""
    planner = _planner(inventory)
    for pod in crowd:
        (ask,) = pod.containers[0].asks
        free = planner.free_quantities()
        scores = {
            node.name: _node_score(pod, node, free[node.name])
            for node in inventory.nodes
            if _fits(ask, node, free[node.name])
        }
        decision = planner.place(pod)
        assert isinstance(decision, Placement) == bool(scores)
        if isinstance(decision, Placement):
            assert scores[decision.node] == pytest.approx(max(scores.values()), abs=1e-5)
        else:
            assert set(decision.refusals) == {node.name for node in inventory.nodes}


@MANY
@given(inventories(), simple_crowds())
def test_plain_loops_find_the_same_best_devices(inventory: Inventory, crowd: list[PodAsk]) -> None:
    """Without a NUMA node to heed, no device that could serve is better than one that was chosen."""
    planner, known = _planner(inventory), _devices(inventory)
    for pod in crowd:
        (ask,) = pod.containers[0].asks
        free = planner.free_quantities()
        decision = planner.place(pod)
        if isinstance(decision, Unplaced) or ask.selection.same_numa:
            continue
        here = free[decision.node]
        scores = {
            uuid: _device_score(pod.device_policy, ask, known[decision.node, uuid], left)
            for uuid, left in here.items()
            if _share(ask, known[decision.node, uuid], left) is not None
        }
        chosen = [scores.pop(share.device) for share in decision.containers[0].devices]
        assert min(chosen) >= max(scores.values(), default=0.0) - 1e-5


# More room


@MANY
@given(inventories(), crowds(), st.integers(1, 4))
def test_another_node_takes_no_place_away(inventory: Inventory, crowd: list[PodAsk], count: int) -> None:
    """A pod that fits into a cluster fits into the same cluster with one more node."""
    planner, placements = _filled(inventory, crowd[:-1])
    larger = Inventory(nodes=(*inventory.nodes, Node(name="0", devices=tuple(map(fake_device, range(count))))))
    other = _planner(larger)
    for placement in placements:
        other.charge(placement)
    if isinstance(planner.place(crowd[-1]), Placement):
        assert isinstance(other.place(crowd[-1]), Placement)
