"""A CDI specification holds every edit, the same bytes for the same edits, and nothing that a runtime would refuse."""

from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.allocation import cdi
from hetero.allocation.held import Held
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, DeviceNode, Mount

NAME = cdi.device(["slot-0001"], "0a1b2c3d")
WORDS = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=6)
PATHS = (
    st.lists(WORDS, min_size=1, max_size=3)
    .map(lambda words: "/" + "/".join(words))
    .filter(lambda path: "/." not in path)
)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
EDITS = st.builds(
    ContainerEdits,
    env=st.dictionaries(st.text(string.printable.replace("=", ""), min_size=1, max_size=6), VALUES, max_size=4),
    mounts=st.dictionaries(PATHS, st.tuples(PATHS, st.booleans()), max_size=3).map(
        lambda found: tuple(
            Mount(host_path=host, container_path=path, read_only=only) for path, (host, only) in found.items()
        )
    ),
    device_nodes=st.dictionaries(PATHS, PATHS, max_size=3).map(
        lambda found: tuple(DeviceNode(host_path=host, container_path=path) for path, host in found.items())
    ),
)


def edits_of(spec: bytes) -> dict[str, Any]:
    """The edits of the only device in a specification."""
    [device] = json.loads(spec)["devices"]
    return dict(device["containerEdits"])


# Names


@given(ids=st.lists(st.text(max_size=8), min_size=1, max_size=6, unique=True), order=st.randoms())
def test_a_name_is_of_the_slots_in_any_order(ids: list[str], order: Any) -> None:
    """The kubelet keeps them as a set; the part behind the stroke differs each time."""
    shuffled = list(ids)
    order.shuffle(shuffled)
    one, other = cdi.device(ids), cdi.device(shuffled)
    assert one.split("-")[0] == other.split("-")[0]
    assert one != other
    assert cdi.device(ids, "0a1b2c3d") == cdi.device(shuffled, "0a1b2c3d")


@given(
    one=st.lists(st.text(max_size=3), min_size=1, max_size=4, unique=True),
    other=st.lists(st.text(max_size=3), min_size=1, max_size=4, unique=True),
)
def test_other_slots_have_another_name(one: list[str], other: list[str]) -> None:
    """``ab`` and ``c`` are not ``a`` and ``bc``."""
    same = cdi.device(one, "0a1b2c3d") == cdi.device(other, "0a1b2c3d")
    assert same == (set(one) == set(other) or "\0".join(sorted(one)) == "\0".join(sorted(other)))


@given(st.lists(st.text(max_size=8), max_size=6))
def test_names_are_names_for_the_runtime(ids: list[str]) -> None:
    """Of the kind and the letters that its library accepts, at most 63, and the file leads back to the device."""
    name = cdi.device(ids)
    vendor, kind = cdi.KIND.split("/")
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?", name)
    assert len(vendor) > 1
    assert len(kind) > 1
    assert len(name) <= 63
    assert cdi.device_of(cdi.file_name(name)) == name
    held = Held(pod_uid="", container="", resource="", ids=(), cdi_names=("other.com/x=y", cdi.qualified(name)))
    assert cdi.devices(held) == (name,)


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a/b", f"{NAME}/..", f"{NAME}\n", NAME.upper(), "all"])
def test_nothing_else_is_taken_for_a_device(name: str) -> None:
    """The name of a file comes from it, and the checkpoint is not ours."""
    held = Held(pod_uid="", container="", resource="", ids=(), cdi_names=(cdi.qualified(name),))
    assert cdi.devices(held) == ()
    assert cdi.device_of(cdi.file_name(name)) == ""


@pytest.mark.parametrize(
    "file", ["nvidia.yaml", f".{cdi.file_name(NAME)}.aa.tmp", f"{cdi.file_name(NAME)}.tmp", f"x{cdi.file_name(NAME)}"]
)
def test_files_of_others_are_not_ours(file: str) -> None:
    """Nor are those that are not whole."""
    assert cdi.device_of(file) == ""


# Specifications


@given(EDITS)
def test_every_edit_is_in_the_specification(edits: ContainerEdits) -> None:
    """And nothing else, for a device of the kind; no part is there without an entry."""
    spec = json.loads(cdi.spec(NAME, edits))
    assert {key: spec[key] for key in ("cdiVersion", "kind")} == {"cdiVersion": "0.6.0", "kind": "hetero.io/slice"}
    [device] = spec["devices"]
    assert device["name"] == NAME
    made = device["containerEdits"]
    assert made
    assert all(made.values())
    env = [f"{name}={value}" for name, value in edits.env.items()]
    nothing = not (edits.env or edits.mounts or edits.device_nodes)
    assert sorted(made.get("env", [])) == sorted(env or ([f"HETERO_SLICE={NAME}"] if nothing else []))
    assert [(one["hostPath"], one["containerPath"], one["options"][-1]) for one in made.get("mounts", [])] == [
        (one.host_path, one.container_path, "ro" if one.read_only else "rw") for one in edits.mounts
    ]
    assert [(one["hostPath"], one["path"]) for one in made.get("deviceNodes", [])] == [
        (one.host_path, one.container_path) for one in edits.device_nodes if isinstance(one, DeviceNode)
    ]


@given(EDITS)
def test_the_same_edits_are_the_same_bytes(edits: ContainerEdits) -> None:
    """In whatever order variables were set: a restarted container's file is left alone."""
    turned = ContainerEdits(env=dict(reversed(edits.env.items())), mounts=edits.mounts, device_nodes=edits.device_nodes)
    assert cdi.spec(NAME, edits) == cdi.spec(NAME, turned)


@pytest.mark.parametrize("value", ["", "a=b", "two\nlines", "tab\t\"quoted\" \\ 'x'", "ünï — 显存", "\x01", "$(id)"])
def test_odd_values_arrive_unchanged(value: str) -> None:
    """The runtime splits at the first equals sign alone."""
    [variable] = edits_of(cdi.spec(NAME, ContainerEdits(env={"A": value})))["env"]
    assert variable.partition("=") == ("A", "=", value)


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (ContainerEdits(env={"": "a"}), "cannot be a variable"),
        (ContainerEdits(env={"A=B": "a"}), "'A=B'='a' cannot be a variable"),
        (ContainerEdits(env={"A": "a\0b"}), "cannot be a variable"),
        (ContainerEdits(env={"A": "\udcff"}), "is no text"),
        (ContainerEdits(mounts=(Mount(host_path="", container_path="/a"),)), "'' is no absolute path for a mount"),
        (ContainerEdits(mounts=(Mount(host_path="/a", container_path="a"),)), "'a' is no absolute path for a mount"),
        (ContainerEdits(device_nodes=("dev/a",)), "'dev/a' is no absolute path for a device"),
        (ContainerEdits(device_nodes=("/dev/a\0",)), "no absolute path for a device"),
        (ContainerEdits(preload=("/a.so",)), "loads first or searches"),
        (ContainerEdits(library_path=("/a",)), "loads first or searches"),
    ],
)
def test_what_a_runtime_would_refuse_is_refused_here(edits: ContainerEdits, said: str) -> None:
    """In a sentence with the value, before a file is written."""
    with pytest.raises(EnforcementError, match=re.escape(said)):
        cdi.spec(NAME, edits)


def test_two_things_at_one_place_are_refused() -> None:
    """A runtime would keep the later one without a word; however the place is spelled."""
    nodes = ContainerEdits(
        device_nodes=("/dev/acme0", DeviceNode(host_path="/dev/acme1", container_path="/dev/../dev/acme0"))
    )
    with pytest.raises(EnforcementError, match="/dev/acme0 and of /dev/acme1 would both be /dev/acme0"):
        cdi.spec(NAME, nodes)
    mounts = ContainerEdits(
        mounts=(Mount(host_path="/a", container_path="/x"), Mount(host_path="/b", container_path="/x/"))
    )
    with pytest.raises(EnforcementError, match="mounts of /a and of /b would both be /x"):
        cdi.spec(NAME, mounts)


def test_the_same_thing_twice_is_there_once() -> None:
    """Two devices of one chip share its control node."""
    node = DeviceNode(host_path="/dev/acme-control", container_path="/dev/acme-control")
    mount = Mount(host_path="/a", container_path="/a")
    made = edits_of(cdi.spec(NAME, ContainerEdits(device_nodes=("/dev/acme-control", node), mounts=(mount, mount))))
    assert len(made["deviceNodes"]) == len(made["mounts"]) == 1


def test_device_nodes_cannot_be_made() -> None:
    """Reading and writing is what a program needs."""
    [node] = edits_of(cdi.spec(NAME, ContainerEdits(device_nodes=("/dev/acme0",))))["deviceNodes"]
    assert node == {"path": "/dev/acme0", "hostPath": "/dev/acme0", "permissions": "rw"}


# What the loader is told


def test_libraries_become_mounts() -> None:
    """Each from its copy, with the file that names them; nothing is left for the specification to refuse."""
    edits = ContainerEdits(
        env={"A": "1", "LD_LIBRARY_PATH": "/c"},
        preload=("/opt/lib/libx.so", "/opt/liby.so.1"),
        library_path=("/a", "/b"),
    )
    copies = {"/opt/lib/libx.so": "/var/lib/h/1/libx.so", "/opt/liby.so.1": "/var/lib/h/2/liby.so.1"}
    made = cdi.contained(edits, copies, "/var/lib/h/preload")
    assert made.env == {"A": "1", "LD_LIBRARY_PATH": "/a:/b:/c"}
    assert {mount.container_path: mount.host_path for mount in made.mounts} == {
        "/usr/local/lib/hetero/libx.so": "/var/lib/h/1/libx.so",
        "/usr/local/lib/hetero/liby.so.1": "/var/lib/h/2/liby.so.1",
        "/etc/ld.so.preload": "/var/lib/h/preload",
    }
    assert all(mount.read_only for mount in made.mounts)
    assert cdi.preload_text(edits) == "/usr/local/lib/hetero/libx.so\n/usr/local/lib/hetero/liby.so.1\n"
    assert cdi.spec(NAME, made)


@given(EDITS)
def test_edits_without_libraries_stay_as_they_are(edits: ContainerEdits) -> None:
    """No file is mounted where nothing is preloaded."""
    assert cdi.contained(edits, {}, "") == edits
    assert cdi.preload_text(edits) == ""


@pytest.mark.parametrize(
    ("preload", "said"),
    [
        (("/a/libx.so", "/b/libx.so"), "same name: /a/libx.so, /b/libx.so"),
        (("/a/lib x.so",), "blank or a colon"),
        (("/a/lib:x.so",), "blank or a colon"),
        (("/a/libx.so\n",), "blank or a colon"),
    ],
)
def test_libraries_that_the_loader_would_miss_are_refused(preload: tuple[str, ...], said: str) -> None:
    """It would go on without them, and without limits."""
    edits = ContainerEdits(preload=preload)
    with pytest.raises(EnforcementError, match=said):
        cdi.contained(edits, dict.fromkeys(preload, "/x"), "/y")
    with pytest.raises(EnforcementError, match=said):
        cdi.preload_text(edits)
