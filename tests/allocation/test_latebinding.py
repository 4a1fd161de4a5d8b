"""Whoever holds the slots gets what is theirs, under their own name; nobody else, and nothing on a guess."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from checkpoints import written
from hypothesis import given
from hypothesis import strategies as st

from hetero.allocation import cdi, checkpoint, latebinding
from hetero.allocation.cdi_folder import CdiFolder
from hetero.allocation.held import Held
from hetero.allocation.latebinding import LateBinding, candidates
from hetero.errors import DriverTimeout, EnforcementError, Unbound
from hetero.model.allocation import ContainerEdits

RESOURCE = "acme.com/npu"


def entry(pod: str, container: str = "main", ids: Iterable[str] = ("slot-0001",), resource: str = RESOURCE) -> Held:
    """What a container holds, with a name of its own."""
    return Held(
        pod_uid=pod,
        container=container,
        resource=resource,
        ids=tuple(sorted(ids)),
        cdi_names=(cdi.qualified(cdi.device(ids)),),
    )


class Pods:
    """Those of this node: alive unless said otherwise, each container with its own name as its edits."""

    def __init__(self) -> None:
        self.over: set[str] = set()
        self.wrong: dict[str, Exception] = {}
        self.asked: list[Held] = []

    def live(self, pod_uid: str) -> bool:
        return pod_uid not in self.over

    def edits(self, held: Held) -> ContainerEdits:
        self.asked.append(held)
        if error := self.wrong.get(held.container):
            raise error
        return ContainerEdits(env={"POD": held.pod_uid, "CONTAINER": held.container})


class Node:
    """A kubelet's checkpoint, a CDI folder, and the late binding between them."""

    def __init__(self, place: Path) -> None:
        self.pods = Pods()
        self.refused: list[tuple[str, str]] = []
        self.file = place / checkpoint.NAME
        self.folder = CdiFolder(place / "cdi", patience=0.0)
        self.late = LateBinding(
            RESOURCE, self.pods, self.file, self.folder, lambda held, why: self.refused.append((held.container, why))
        )

    def hold(self, *entries: Held) -> None:
        """What the kubelet has written."""
        new = self.file.with_suffix(".new")
        new.write_bytes(written(list(entries)))
        new.rename(self.file)

    def env(self, held: Held) -> list[str] | None:
        """What the runtime would give the container."""
        [name] = cdi.devices(held)
        try:
            text = (self.folder.folder / cdi.file_name(name)).read_text()
        except FileNotFoundError:
            return None
        found: list[str] = json.loads(text)["devices"][0]["containerEdits"]["env"]
        return found


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    """A node where nobody holds anything."""
    one = Node(tmp_path)
    yield one
    one.folder.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what is not there."""
    monkeypatch.setattr(latebinding, "PATIENCE", 0.0)


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests of what comes a little later, which on a busy machine is later than a second."""
    monkeypatch.setattr(latebinding, "PATIENCE", 60.0)


IDS = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4, unique=True)


@given(ids=IDS, entries=st.lists(st.builds(entry, st.just("p"), ids=IDS, resource=st.sampled_from("rs"))))
def test_only_exactly_these_slots_count(ids: list[str], entries: list[Held]) -> None:
    """In any order, of this resource: more or fewer are somebody else's."""
    found = candidates(entries, "r", ids)
    assert all(set(one.ids) == set(ids) and one.resource == "r" for one in found)
    assert len(found) == sum(set(one.ids) == set(ids) and one.resource == "r" for one in entries)


def test_who_holds_the_slots_gets_its_specification(node: Node) -> None:
    """Whatever the order of the ids; nobody else is looked at."""
    mine, others = entry("p1", ids=("a", "b")), entry("p2", ids=("a",))
    node.hold(others, mine, entry("p3", ids=("a", "b"), resource="acme.com/other"))
    node.late.start(["b", "a"])
    assert node.env(mine) == ["CONTAINER=main", "POD=p1"]
    assert node.env(others) is None
    assert node.pods.asked == [mine]
    assert node.refused == []


def test_an_init_container_and_its_successor_both_get_theirs(node: Node) -> None:
    """They hold the same slots, and nobody can tell which of them is starting."""
    first, second = entry("p1", "warm-up"), entry("p1", "main")
    node.hold(first, second)
    node.late.start(["slot-0001"])
    assert node.env(first) == ["CONTAINER=warm-up", "POD=p1"]
    assert node.env(second) == ["CONTAINER=main", "POD=p1"]


def test_pods_that_are_over_are_left_out(node: Node) -> None:
    """The kubelet keeps their entries until it allocates again, and gives their slots to the next one."""
    old, new = entry("old"), entry("new")
    node.hold(old, new)
    node.pods.over = {"old"}
    node.late.start(["slot-0001"])
    assert (node.env(old), node.env(new)) == (None, ["CONTAINER=main", "POD=new"])


def test_a_second_start_is_the_same(node: Node) -> None:
    """The file stays as it is."""
    mine = entry("p1")
    node.hold(mine)
    node.late.start(["slot-0001"])
    [file] = node.folder.folder.iterdir()
    before = file.stat().st_ino
    node.late.start(["slot-0001"])
    assert file.stat().st_ino == before


@pytest.mark.usefixtures("unhurried")
def test_slots_that_the_checkpoint_has_a_little_later_are_found(node: Node) -> None:
    """It is looked at again for a second."""
    mine = entry("p1")
    node.hold()
    threading.Timer(0.1, lambda: node.hold(mine)).start()
    node.late.start(["slot-0001"])
    assert node.env(mine)


@pytest.mark.usefixtures("unhurried")
def test_a_checkpoint_that_is_readable_a_little_later_is_read(node: Node) -> None:
    """A kubelet of tomorrow might write it in place."""
    mine = entry("p1")
    node.file.write_text("{")
    threading.Timer(0.1, lambda: node.hold(mine)).start()
    node.late.start(["slot-0001"])
    assert node.env(mine)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda node: None, f"checkpoint has nobody who holds {RESOURCE} slot-0001"),
        (lambda node: node.file.write_text("{"), "checkpoint cannot be read"),
        (lambda node: node.hold(entry("p1", ids=("slot-0001", "slot-0002"))), "has nobody who holds"),
        (
            lambda node: (node.hold(entry("p1")), node.pods.over.add("p1")),
            "pod p1, which holds acme.com/npu, is not known",
        ),
    ],
    ids=["no file", "torn file", "other slots", "dead pod"],
)
def test_nobody_gets_anything_on_a_guess(node: Node, prepare: Callable[[Node], object], said: str) -> None:
    """The kubelet is told why, asks again, and nothing is written until it is certain."""
    prepare(node)
    with pytest.raises(Unbound, match=said):
        node.late.start(["slot-0001"])
    assert node.folder.devices() == frozenset()
    assert node.pods.asked == []


@pytest.mark.parametrize(
    "error", [Unbound("the pod has no placement"), EnforcementError("no room"), DriverTimeout("make", 5.0)]
)
def test_why_a_container_cannot_start_is_told(node: Node, error: Exception) -> None:
    """To the kubelet, which shows it, and to whoever writes the event; when the cause is gone it starts."""
    mine = entry("p1")
    node.hold(mine)
    node.pods.wrong = {"main": error}
    with pytest.raises(Unbound) as refused:
        node.late.start(["slot-0001"])
    assert str(refused.value) == str(error)
    assert node.refused == [("main", str(error))]
    assert node.env(mine) is None
    node.pods.wrong.clear()
    node.late.start(["slot-0001"])
    assert node.env(mine)


def test_of_two_the_one_that_can_start_may(node: Node) -> None:
    """The other's name stays unresolvable: it cannot start with what is not its own, and the kubelet asks again."""
    first, second = entry("p1", "warm-up"), entry("p1", "main")
    node.hold(first, second)
    node.pods.wrong = {"warm-up": Unbound("no")}
    node.late.start(["slot-0001"])
    assert (node.env(first), node.refused) == (None, [])
    assert node.env(second)


def test_when_none_of_two_can_start_all_reasons_are_told(node: Node) -> None:
    """Each once."""
    node.hold(entry("p1", "a"), entry("p1", "b"), entry("p1", "c"))
    node.pods.wrong = {"a": Unbound("no"), "b": Unbound("never"), "c": Unbound("no")}
    with pytest.raises(Unbound, match=r"^no; never$"):
        node.late.start(["slot-0001"])
    assert node.refused == [("a", "no"), ("b", "never"), ("c", "no")]


@pytest.mark.parametrize("names", [(), ("other.com/npu=1",), ("hetero.io/slice=../../x",)])
def test_what_another_plugin_allocated_is_not_bound(node: Node, names: tuple[str, ...]) -> None:
    """Its container would start without a slice: the sentence says how to get one."""
    node.hold(Held(pod_uid="p1", container="main", resource=RESOURCE, ids=("slot-0001",), cdi_names=names))
    with pytest.raises(Unbound, match="another device plugin, before this one; delete the pod"):
        node.late.start(["slot-0001"])
    assert node.pods.asked == []


def test_edits_that_no_runtime_takes_are_refused(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is written."""
    node.hold(entry("p1"))
    monkeypatch.setattr(node.pods, "edits", lambda _: ContainerEdits(device_nodes=("dev/acme0",)))
    with pytest.raises(Unbound, match="'dev/acme0' is no absolute path"):
        node.late.start(["slot-0001"])
    assert [container for container, _ in node.refused] == ["main"]


def test_pods_that_cannot_be_looked_up_start_nothing(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is taken for gone, or for alive, because the API server does not answer."""

    def unknown(pod_uid: str) -> bool:
        raise Unbound(f"pod {pod_uid} is not known yet, and the API server cannot be asked")

    node.hold(entry("p1"))
    monkeypatch.setattr(node.pods, "live", unknown)
    with pytest.raises(Unbound, match="pod p1 is not known yet"):
        node.late.start(["slot-0001"])
    assert (node.pods.asked, node.refused) == ([], [])


def test_a_folder_that_cannot_be_written_is_told(node: Node) -> None:
    """As any other reason."""
    node.hold(entry("p1"))
    node.folder.folder.write_text("a file")
    with pytest.raises(Unbound, match="cannot be written"):
        node.late.start(["slot-0001"])
    assert [container for container, _ in node.refused] == ["main"]


def test_a_start_that_hangs_is_not_joined_by_another(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kubelet asks again after 30 s; others start meanwhile, and these slots when the driver has answered."""
    mine, others = entry("p1"), entry("p2", ids=("slot-0002",))
    node.hold(mine, others)
    inside, go = threading.Event(), threading.Event()
    edits = node.pods.edits

    def hanging(held: Held) -> ContainerEdits:
        if held == mine:
            inside.set()
            assert go.wait(120)
        return edits(held)

    monkeypatch.setattr(node.pods, "edits", hanging)
    thread = threading.Thread(target=node.late.start, args=(["slot-0001"],))
    thread.start()
    assert inside.wait(120)
    with pytest.raises(Unbound, match="has not answered yet"):
        node.late.start(["slot-0001"])
    node.late.start(["slot-0002"])
    assert node.env(others)
    go.set()
    thread.join(120)
    node.late.start(["slot-0001"])
    assert node.env(mine)


def test_a_defect_frees_the_slots_again(node: Node) -> None:
    """It is raised as it is, and the next try may go well."""
    node.hold(entry("p1"))
    node.pods.wrong = {"main": ZeroDivisionError("a defect")}
    with pytest.raises(ZeroDivisionError):
        node.late.start(["slot-0001"])
    node.pods.wrong.clear()
    node.late.start(["slot-0001"])
