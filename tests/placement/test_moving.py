"""A cluster in motion: however it got to where it is, its answers are those of its present state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest

from hetero.errors import InvalidValue
from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.model.device import Device, Health, Inventory, Node
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.placement import Planner, judge
from hetero.testing.fake import fake_device, fake_node, fake_vendor
from hetero.vendor import Vendor
from tests.placement.chips import chips

VENDORS: dict[str, Vendor] = {**{name: fake_vendor(name) for name in ("fake", "other")}, **chips()}
KINDS = 18
NAMES = ["a", "b", "c", "d", "e"]


class Life:
    """A planner whose cluster changes at random, beside what must be true of it at any moment."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.planner = Planner(Inventory(), VENDORS)
        self.nodes: dict[str, Node] = {}
        self.pods: dict[str, Placement] = {}
        self._count = 0

    def step(self) -> None:
        """One change: mostly of pods, at times of nodes."""
        chance = self._random.random()
        if chance < 0.2:
            self._put()
        elif chance < 0.27:
            self._remove()
        elif chance < 0.75:
            self._place()
        elif self.pods:
            key = self._random.choice(sorted(self.pods))
            del self.pods[key]
            self.planner.free(key)

    def fresh(self) -> Planner:
        """A planner that never knew anything but the present."""
        planner = Planner(Inventory(nodes=tuple(self.nodes.values())), VENDORS)
        for placement in self.pods.values():
            planner.charge(placement)
        return planner

    def kinds(self) -> Iterator[PodAsk]:
        """Pods of a few kinds, most of which were asked about before."""
        for number in range(KINDS):
            yield self.pod(number)

    def pod(self, kind: int) -> PodAsk:
        """One of few kinds; its name is new."""
        self._count += 1
        asks = [
            Ask(
                vendor=self._vendor(kind),
                count=1 + kind % 2,
                memory=(3000, 7000, 9000)[kind % 3],
                cores=(0, 30, 100)[kind % 3],
                selection=Selection(same_numa=kind % 4 == 3, use_models=("F2",) if kind == 7 else ()),
            )
        ] * (2 if kind % 6 == 5 else 1)
        policy = ("", "spread", "mutex", "numa,binpack")[kind % 4]
        containers = tuple(ContainerAsk(name=f"c{index}", asks=(one,)) for index, one in enumerate(asks))
        return PodAsk(name=f"pod-{self._count}", containers=containers, device_policy=policy)

    def _vendor(self, kind: int) -> str:
        if kind >= 12:
            return ("placed", "paired")[kind % 2]
        return "other" if kind % 5 == 4 else "fake"

    def _put(self) -> None:
        node = Node(
            name=self._random.choice(NAMES),
            devices=tuple(self._device(index) for index in range(self._random.randint(0, 4))),
            cordoned=("fake-1",) if self._random.random() < 0.2 else (),
        )
        self.nodes[node.name] = node
        self.planner.put_node(node)

    def _device(self, index: int) -> Device:
        vendor = self._random.choice(("fake", "fake", "other", "placed", "paired", "paired"))
        return Device(
            uuid=f"{vendor}-{index}",
            index=index,
            model=VENDORS[vendor].splitting.model(self._random.choice(("Fake F1", "Fake F2")), 16384),
            numa=self._random.choice((0, 1)),
            health=Health(ok=self._random.random() > 0.1, reason=""),
        )

    def _remove(self) -> None:
        name = self._random.choice(NAMES)
        self.nodes.pop(name, None)
        self.planner.remove_node(name)

    def _place(self) -> None:
        pod = self.pod(self._random.randrange(KINDS))
        best = self.planner.options(pod).best()
        placement = self.planner.place_on(pod, best) if best is not None else None
        if isinstance(placement, Placement):
            self.planner.charge(placement)
            self.pods[pod.key] = placement


def _answers(planner: Planner, pod: PodAsk) -> Any:
    options = planner.options(pod)
    best = options.best()
    return (
        options.split([*NAMES, "unknown"]),
        options.scores(NAMES),
        options.summary(),
        planner.place_on(pod, best) if best is not None else None,
    )


@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_up_is_what_would_be_found_anew(seed: int) -> None:
    """After any history, account and answers are those of a planner that is told the present alone."""
    life = Life(seed)
    for _ in range(12):
        for _ in range(6):
            life.step()
        fresh = life.fresh()
        assert life.planner.free_quantities() == fresh.free_quantities()
        assert life.planner.inventory == fresh.inventory
        assert life.planner.overcommitted() == fresh.overcommitted()
        for pod in life.kinds():
            assert _answers(life.planner, pod) == _answers(fresh, pod)


@pytest.mark.parametrize("seed", range(10))
def test_the_order_in_which_a_cluster_is_told_does_not_matter(seed: int) -> None:
    """Pods before their nodes, nodes twice and gone in between: the end is the same."""
    life = Life(seed)
    for _ in range(40):
        life.step()
    chance = random.Random(seed)
    told = Planner(Inventory(), VENDORS)
    events: list[Any] = [*life.nodes.values(), *life.pods.values(), *chance.sample(sorted(life.nodes), len(life.nodes))]
    chance.shuffle(events)
    for event in [*events, *life.nodes.values()]:
        if isinstance(event, Placement):
            told.charge(event)
        elif isinstance(event, Node):
            told.put_node(event)
        else:
            told.remove_node(event)
    assert told.free_quantities() == life.planner.free_quantities()
    for key in life.pods:
        assert told.charged(key) == life.pods[key]
        told.free(key)
    empty = Planner(Inventory(nodes=tuple(life.nodes.values())), VENDORS)
    assert told.free_quantities() == empty.free_quantities()


def test_a_pod_that_fits_alone_fits_among_five_thousand(pod: Any, ask: Any) -> None:
    """The one node that serves is found wherever it stands, and among those that are full."""
    full = Planner(Inventory(nodes=tuple(fake_node(f"n{index:04}", 2, memory=900) for index in range(5000))), VENDORS)
    asked = pod(ask(count=2, memory=600), init=[ask(memory=1000)])
    for name in ("n0000", "n2500", "n4999"):
        before = full.options(asked)
        assert before.best() is None
        full.put_node(fake_node(name, 2, memory=1000))
        assert full.options(asked).best() == name
        placed = full.place(asked)
        assert isinstance(placed, Placement)
        full.free(placed)
        full.put_node(fake_node(name, 2, memory=900))


def test_devices_with_more_charged_than_they_have_are_named(planner: Any, pod: Any, ask: Any) -> None:
    """A device shrank under its programs, or somebody wrote a placement by hand."""
    one = planner(fake_node("a", 2), fake_node("b"))
    one.place(pod(ask(count=2, memory=9000)))
    assert one.overcommitted() == {}
    one.put_node(Node(name="a", devices=(fake_device(0), fake_device(1, memory=8000))))
    assert one.overcommitted() == one.overcommitted("a") == {"a": ["fake-1"]}
    assert one.overcommitted("b") == one.overcommitted("unknown") == {}


def test_a_model_that_comes_later_changes_what_a_word_means(planner: Any, pod: Any, ask: Any) -> None:
    """A whole name selects its model alone, from the moment that the cluster has it."""
    one = planner(Node(name="a", devices=(fake_device(0, model="Fake F1 Ultra"),)))
    asked = pod(ask(selection=Selection(use_models=("fake f1",))))
    assert one.options(asked).split(["a"])[0] == ["a"]
    one.put_node(fake_node("b"))
    assert one.options(asked).split(["a", "b"])[0] == ["b"]


def _crowded(count: int) -> tuple[Planner, PodAsk]:
    """Nodes of devices that are all different, and a pod for which only a search can tell whether it fits."""
    chance = random.Random(1)
    nodes = tuple(
        Node(
            name=f"n{number}", devices=tuple(fake_device(index, memory=chance.randint(900, 1100)) for index in range(6))
        )
        for number in range(count)
    )
    asks = [Ask(vendor="fake", memory=memory, cores=1) for memory in (500, 510, 520, 530, 540, 550, 470, 440, 390, 505)]
    containers = tuple(ContainerAsk(name=f"c{index}", asks=(ask,)) for index, ask in enumerate(asks))
    return Planner(Inventory(nodes=nodes), VENDORS), PodAsk(name="p", containers=containers)


def test_searches_have_a_budget_and_go_on_another_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One hard pod must not hold up the others: what was not settled is not offered, and looked at when asked again."""
    planner, hard = _crowded(30)
    names = [f"n{number}" for number in range(30)]
    everything = planner.options(hard).split(names)[0]
    other, _ = _crowded(30)
    monkeypatch.setattr(judge, "_WORK", 40)
    first = other.options(hard).split(names)[0]
    assert set(first) <= set(everything)
    for _ in range(200):
        last = other.options(hard).split(names)[0]
    assert last == everything


def test_a_pod_that_asks_too_often_is_refused_at_once(planner: Any, pod: Any, ask: Any) -> None:
    """With a sentence that says so, on all nodes."""
    one = planner(fake_node("a", 8), fake_node("b", 8))
    asked = pod(*(ask(memory=1) for _ in range(65)))
    options = one.options(asked)
    assert options.split(["a", "b"])[0] == []
    assert options.summary() == "2/2 nodes: devices are asked for more than 64 times [NodeInsufficientDevice]"
    refusal = options.refusal("a")
    assert refusal is not None
    assert "more often than the 64 times" in refusal.message


def test_each_share_of_a_placement_must_be_an_amount(planner: Any, pod: Any, ask: Any) -> None:
    """Two that are wrong may add up to nothing, and open a quota."""
    one = planner(fake_node("a"))
    shares = tuple(
        DeviceShare(vendor=vendor, device="fake-0", share=Share(quantities={"memory": amount}))
        for vendor, amount in (("fake", 1000), ("other", -1000))
    )
    held = ContainerPlacement(container="c", devices=shares)
    with pytest.raises(InvalidValue, match="-1000 is no amount of memory"):
        one.charge(Placement(namespace="n", pod="p", node="a", containers=(held,)))
    assert one.charged("n/p") is None
