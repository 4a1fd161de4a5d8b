"""The answer for all nodes at once: which fit, how well, and the few words and figures for those that do not."""

from __future__ import annotations

from typing import Any

import pytest

from hetero.model.ask import Weights
from hetero.model.device import Device, Health, Node, Quantities
from hetero.model.placement import Placement
from hetero.model.share import Reason
from hetero.placement import Planner
from hetero.placement.options import SHORT
from hetero.testing.fake import fake_device, fake_node
from tests.placement.chips import chips

MIXED = (
    fake_node("full", memory=1500),
    fake_node("good", 2, memory=4000),
    fake_node("small", memory=10),
    Node(name="sick", devices=(fake_device(health=Health(ok=False, reason="lost")),)),
    Node(name="bare"),
    Node(name="held", devices=(fake_device(),), cordoned=("fake-0",)),
)
NAMES = [node.name for node in MIXED]


@pytest.fixture
def mixed(planner: Any, pod: Any, ask: Any) -> Planner:
    """Six nodes, of which one has room, one lacks it for now and the others for good."""
    one: Planner = planner(*MIXED)
    first = one.place_on(pod(ask(), name="first"), "full")
    assert isinstance(first, Placement)
    one.charge(first)
    return one


def test_nodes_are_split_into_those_that_fit_do_not_now_and_never_will(mixed: Planner, pod: Any, ask: Any) -> None:
    """Only where pods could go to make room does evicting them help; an unknown node is none for good."""
    fits, now, never = mixed.options(pod(ask())).split([*NAMES, "unknown"])
    assert fits == ["good"]
    assert now == {"full": "CardInsufficientMemory: not enough device memory"}
    assert never == {
        "small": "CardInsufficientMemory: not enough device memory",
        "sick": "CardNotHealth: devices unhealthy",
        "bare": "NodeUnfitPod: no devices of the kind asked",
        "held": "CardCordoned: devices cordoned",
        "unknown": "NodeUnfitPod: the scheduler knows no such node",
    }


def test_the_order_of_the_names_is_kept(planner: Any, pod: Any, ask: Any) -> None:
    """And only what was asked about is answered."""
    options = planner(*(fake_node(name) for name in "abcd")).options(pod(ask()))
    assert options.split(["d", "b", "a"])[0] == ["d", "b", "a"]


def test_no_names_no_answer(mixed: Planner, planner: Any, pod: Any, ask: Any) -> None:
    """Nor is there any of a cluster without nodes."""
    for one in (mixed, planner()):
        options = one.options(pod(ask()))
        assert options.split([]) == ([], {}, {})
        assert options.scores([]) == []
        assert options.best([]) is None
        assert options.top([], 3) == ([], [])
        assert options.summary([]) == ""
    nothing = planner().options(pod(ask()))
    assert nothing.split(["x"])[2] == {"x": SHORT[-1]}
    assert (nothing.scores(["x"]), nothing.best(), nothing.summary()) == ([0.0], None, "")


def test_short_sentences_are_few_and_have_the_word_that_people_grep_for() -> None:
    """No figures and no names in them, so that equal reasons are counted as one."""
    assert len(SHORT) == len(set(SHORT)) == len(Reason) + 3
    for reason in Reason:
        assert any(text.startswith(f"{reason}: ") for text in SHORT)


def test_scores_are_of_the_state_after_placing(planner: Any, pod: Any, ask: Any) -> None:
    """From 0 to 1, higher is better, 0 where the pod does not fit or no node is."""
    one = planner(fake_node("a", memory=2000), fake_node("b", memory=4000), fake_node("c", memory=10))
    packed = one.options(pod(ask(), node_policy="binpack")).scores(["a", "b", "c", "x"])
    spread = one.options(pod(ask(), node_policy="spread")).scores(["a", "b", "c", "x"])
    assert packed == pytest.approx([(0.5 + 0.1) / 3, (0.25 + 0.1) / 3, 0, 0])
    assert spread == pytest.approx([1 - (0.5 + 0.1) / 3, 1 - (0.25 + 0.1) / 3, 0, 0])


def test_weights_say_what_counts(planner: Any, pod: Any, ask: Any) -> None:
    """With all weight on compute, memory makes no node fuller."""
    one = planner(fake_node("a", memory=2000), fake_node("b", memory=4000))
    weights = Weights(slots=0, memory=0, cores=1)
    scores = one.options(pod(ask(cores=30), weights=weights)).scores(["a", "b"])
    assert scores == pytest.approx([0.3, 0.3])


class Likes:
    """Likes nodes by so much."""

    name = "likes"

    def __init__(self, **much: float) -> None:
        self._much = much

    def score(self, node: str, device: Device, left: Quantities) -> float:
        del device, left
        return self._much.get(node, 0.0)


def test_opinions_beyond_the_scale_keep_their_order_within_it(planner: Any, pod: Any, ask: Any) -> None:
    """Whoever takes the scores further expects 0 to 1, whatever plugins say."""
    one = planner(*(fake_node(name) for name in "abc"), scorers=[Likes(a=7, b=-3)])
    options = one.options(pod(ask()))
    scores = dict(zip("abc", options.scores(list("abc")), strict=True))
    assert sorted(scores, key=scores.__getitem__) == ["b", "c", "a"]
    assert (min(scores.values()), max(scores.values())) == (0.0, 1.0)
    assert options.best() == "a"


def test_the_best_are_told_best_first_and_equals_by_name(planner: Any, pod: Any, ask: Any) -> None:
    """As many as are asked, with the scores that the nodes have."""
    one = planner(
        *(fake_node(name, memory=memory) for name, memory in zip("dcbae", (2000, 4000, 2000, 4000, 1), strict=True))
    )
    options = one.options(pod(ask()))
    names, scores = options.top(None, 10)
    assert names == ["b", "d", "a", "c"]
    assert scores == options.scores(names)
    for count in range(5):
        assert options.top(list("abcde"), count) == (names[:count], scores[:count])
    assert options.top(["c", "a"], 1)[0] == [options.best(["c", "a"])] == ["a"]


def test_equal_nodes_in_thousands_go_by_name(planner: Any, pod: Any, ask: Any) -> None:
    """A cut among equals takes the first names, whatever order they came in."""
    one = planner(*(fake_node(f"n{index:04}") for index in range(2000)))
    assert one.options(pod(ask())).top([f"n{index:04}" for index in reversed(range(2000))], 3)[0] == [
        "n0000",
        "n0001",
        "n0002",
    ]


def test_the_summary_counts_nodes_and_gives_the_figures_that_decide(mixed: Planner, pod: Any, ask: Any) -> None:
    """Those of what is free, the vendor's words for what no empty device can give, and the most common reason first."""
    assert mixed.options(pod(ask(memory=1200))).summary() == (
        "2/6 nodes: not enough memory on any card (largest free 500 MiB, asked 1200 MiB); "
        "Fake F1 has 10 MiB, asked 1200 MiB [CardInsufficientMemory]; "
        "1/6 nodes: devices unhealthy [CardNotHealth]; 1/6 nodes: devices cordoned [CardCordoned]; "
        "1/6 nodes: no fake device [NodeUnfitPod]"
    )


def test_the_summary_is_about_the_nodes_that_were_named(mixed: Planner, pod: Any, ask: Any) -> None:
    """Whoever looked at three nodes is told of three."""
    assert mixed.options(pod(ask())).summary(["good", "bare", "sick"]) == (
        "1/3 nodes: devices unhealthy [CardNotHealth]; 1/3 nodes: no fake device [NodeUnfitPod]"
    )


@pytest.mark.parametrize(
    ("memory", "free"), [((6144, 4000, 2000), 6144), ((1, 2, 3), 3)], ids=["large pieces", "small pieces"]
)
def test_the_largest_free_piece_is_that_of_all_nodes_that_fail_for_it(
    planner: Any, pod: Any, ask: Any, memory: tuple[int, ...], free: int
) -> None:
    """Not that of the first one."""
    one = planner(*(fake_node(name, memory=10000) for name in "abc"), fake_node("d", vendor="other"))
    for name, left in zip("abc", memory, strict=True):
        one.charge(one.place_on(pod(ask(memory=10000 - left), name=name), name))
    assert one.options(pod(ask(memory=8192))).summary() == (
        f"3/4 nodes: not enough memory on any card (largest free {free} MiB, asked 8192 MiB) [CardInsufficientMemory]; "
        "1/4 nodes: no fake device [NodeUnfitPod]"
    )


def test_the_summary_of_several_containers_says_which(planner: Any, pod: Any, ask: Any) -> None:
    """And when each fits alone, that it is their number."""
    one = planner(fake_node("a", memory=1000), fake_node("b", memory=500))
    assert one.options(pod(ask(memory=600), ask(memory=700))).summary(["a", "b", "gone"]) == (
        "1/3 nodes: container c0: Fake F1 has 500 MiB, asked 600 MiB [CardInsufficientMemory]; "
        "1/3 nodes: each container fits, but not all at the same time [NodeInsufficientDevice]; "
        "1/3 nodes: not known to the scheduler [NodeUnfitPod]"
    )


@pytest.mark.parametrize(
    "case",
    [
        (
            "ringed",
            [{"count": 3, "memory": 1}] * 3,
            {"count": 3, "memory": 1},
            "not enough rings on any card (largest free 0, asked 1) [ModeNotFit]",
        ),
        (
            "placed",
            [{"count": 3, "memory": 200}] * 2,
            {"count": 1, "memory": 400},
            "no place left for the share on any card [ModeNotFit]",
        ),
        (
            "paired",
            [{"cores": 100, "memory": 800}],
            {"count": 2, "memory": 1},
            "no set of devices that may be given together [CardNotFoundCustomFilterRule]",
        ),
    ],
    ids=["rings", "places", "sets"],
)
def test_what_only_one_chip_has_is_told_by_name(planner: Any, pod: Any, ask: Any, case: Any) -> None:
    """With its figures where they are some; that no place is left where it is one, and that no set may be given."""
    vendor, before, late, told = case
    kinds = chips()
    model = kinds[vendor].splitting.model("M", 800)
    node = Node(name="n", devices=tuple(Device(uuid=f"d{index}", index=index, model=model) for index in range(3)))
    one = planner(node, vendors=kinds)
    for number, earlier in enumerate(before):
        assert isinstance(one.place(pod(ask(vendor=vendor, **earlier), name=f"{number}")), Placement)
    options = one.options(pod(ask(vendor=vendor, **late)))
    assert options.summary() == f"1/1 nodes: {told}"
    assert options.split(["n"])[1], "it would fit if the others were gone"
    refusal = options.refusal("n")
    assert refusal is not None
    assert f"[{refusal.reason}]" in told


def test_a_single_node_is_explained_in_detail(mixed: Planner, pod: Any, ask: Any) -> None:
    """With the figures of that node; one that fits has nothing to explain, and an unknown one is said to be that."""
    options = mixed.options(pod(ask()))
    refusal = options.refusal("full")
    assert refusal is not None
    assert refusal.message == "container c0: not enough memory on any device (largest free 500 MiB, asked 1000 MiB)"
    assert options.refusal("good") is None
    unknown = options.refusal("unknown")
    assert unknown is not None
    assert unknown.reason is Reason.NO_DEVICES


def test_the_short_reason_is_that_of_the_detailed_one(mixed: Planner, pod: Any, ask: Any) -> None:
    """Both count the same devices."""
    options = mixed.options(pod(ask()))
    _, now, never = options.split(NAMES)
    for name, text in (now | never).items():
        refusal = options.refusal(name)
        assert refusal is not None
        assert text.startswith(f"{refusal.reason}: ")


def test_asking_charges_nothing_and_what_the_pod_holds_counts_as_free(planner: Any, pod: Any, ask: Any) -> None:
    """A pod that is looked at again does not stand in its own way, on its node alone."""
    one = planner(fake_node("a", memory=1000), fake_node("b", memory=1000))
    one.place(pod(ask(memory=800), name="mine"))
    one.charge(one.place_on(pod(ask(memory=800), name="other"), "b"))
    before = one.free_quantities()
    assert one.options(pod(ask(memory=900), name="mine")).split(["a", "b"])[0] == ["a"]
    assert one.options(pod(ask(memory=900), name="new")).split(["a", "b"])[0] == []
    assert one.free_quantities() == before


def test_an_answer_stays_what_it_was(planner: Any, pod: Any, ask: Any) -> None:
    """What is placed after it was made does not change it."""
    one = planner(fake_node("a", memory=1000), fake_node("b", memory=1000))
    early = one.options(pod(ask(memory=800)))
    one.place(pod(ask(memory=800), name="first"))
    assert early.split(["a", "b"])[0] == ["a", "b"]
    assert one.options(pod(ask(memory=800))).split(["a", "b"])[0] == ["b"]


def test_a_list_of_names_is_looked_up_once(planner: Any, pod: Any, ask: Any) -> None:
    """The very list that was asked about or answered; when the nodes change it is looked up again."""
    one = planner(fake_node("a"), fake_node("b"))
    names = ["a", "b", "c"]
    fits = one.options(pod(ask())).split(names)[0]
    assert one.options(pod(ask())).scores(fits) == one.options(pod(ask())).scores(["a", "b"])
    one.put_node(fake_node("c"))
    one.remove_node("a")
    assert one.options(pod(ask())).split(names)[0] == ["b", "c"]
    assert one.options(pod(ask())).scores(fits)[0] == 0


@pytest.mark.parametrize("policy", ["mutex", "mutex,binpack"])
def test_idle_devices_only(planner: Any, pod: Any, ask: Any, policy: str) -> None:
    """A device of which anything is taken does not serve, by this pod's other container either."""
    one = planner(fake_node("a", 2), fake_node("b", 1))
    one.charge(one.place_on(pod(ask(memory=1), name="first"), "b"))
    options = one.options(pod(ask(memory=1), ask(memory=1), device_policy=policy))
    assert options.split(["a", "b"]) == (["a"], {}, {"b": options.split(["b"])[2]["b"]})
    single = one.options(pod(ask(memory=1), device_policy=policy))
    assert single.split(["b"])[1] == {"b": "ExclusiveDeviceAllocateConflict: idle devices asked, all in use"}
    placed = one.place(pod(ask(memory=1), ask(memory=1), device_policy=policy))
    assert isinstance(placed, Placement)
    assert len({container.devices[0].device for container in placed.containers}) == 2


def test_few_names_are_split_as_many_are(mixed: Planner, pod: Any, ask: Any) -> None:
    """There is a quicker way for few; it says the same, in the same order, and knows the list that it answered."""
    many = NAMES * 60 + ["unknown"]
    options = mixed.options(pod(ask()))
    few = options.split([*NAMES, "unknown"])
    fits, now, never = options.split(many)
    assert (sorted(set(fits)), now, never) == (few[0], few[1], few[2])
    assert options.scores(fits) == options.scores(few[0]) * 60
