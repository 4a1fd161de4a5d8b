"""Edits as an environment: what is there stays, behind what is added, and nothing is said twice."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.allocation.environment import LIBRARY_PATH, PRELOAD, environment, merged
from hetero.errors import EnforcementError
from hetero.model.allocation import ContainerEdits, DeviceNode, Mount

NAMES = st.text(string.ascii_uppercase + "_", min_size=1, max_size=8).filter(
    lambda name: name not in (PRELOAD, LIBRARY_PATH)
)
VALUES = st.text(string.printable, max_size=8)
VARIABLES = st.dictionaries(NAMES, VALUES, max_size=5)
PATHS = st.lists(st.text("abc/", min_size=1, max_size=3), max_size=4).map(tuple)
MOUNTS = st.lists(st.builds(Mount, host_path=VALUES, container_path=VALUES), max_size=3).map(tuple)
RENAMED = st.builds(DeviceNode, host_path=VALUES, container_path=VALUES)
NODES = st.lists(st.text("abc/", min_size=1, max_size=3) | RENAMED, max_size=4).map(tuple)
EDITS = st.builds(ContainerEdits, env=VARIABLES, mounts=MOUNTS, device_nodes=NODES, preload=PATHS, library_path=PATHS)
SEARCHED = pytest.mark.parametrize("name", [PRELOAD, LIBRARY_PATH])


def _adding(name: str, *paths: str) -> ContainerEdits:
    return ContainerEdits(preload=paths) if name == PRELOAD else ContainerEdits(library_path=paths)


# One process's environment


@given(base=VARIABLES, edits=EDITS)
def test_every_variable_is_the_edits_or_the_users(base: dict[str, str], edits: ContainerEdits) -> None:
    """The edits win; what they do not name is handed on as it is; nothing else appears."""
    result = environment(edits, base)
    added = {PRELOAD for _ in edits.preload} | {LIBRARY_PATH for _ in edits.library_path}
    assert set(result) == {*base, *edits.env, *added}
    assert {name: result[name] for name in edits.env} == edits.env
    assert all(result[name] == base[name] for name in base if name not in edits.env)


@given(base=VARIABLES, edits=EDITS)
def test_what_is_given_stays_as_it_is(base: dict[str, str], edits: ContainerEdits) -> None:
    """The caller's mapping is the process's own environment: it must not change below it."""
    before = dict(base), dict(edits.env)
    environment(edits, base)
    assert (base, edits.env) == before


@given(base=VARIABLES, edits=EDITS, present=PATHS)
def test_edits_made_twice_are_made_once(base: dict[str, str], edits: ContainerEdits, present: tuple[str, ...]) -> None:
    """A program started again from an environment that has the edits gets the same one."""
    once = environment(edits, {**base, PRELOAD: ":".join(present)})
    assert environment(edits, once) == once


@SEARCHED
@given(ours=PATHS.filter(bool), present=PATHS)
def test_ours_come_first_and_the_users_stay_in_their_order(
    name: str, ours: tuple[str, ...], present: tuple[str, ...]
) -> None:
    """The loader takes the first; a user's own library still works, behind it, and once is enough."""
    result = environment(_adding(name, *ours), {name: ":".join(present)})[name].split(":")
    assert result[: len(ours)] == list(ours)
    assert result[len(ours) :] == [path for path in present if path not in ours]


@SEARCHED
@pytest.mark.parametrize("base", [{}, {PRELOAD: "", LIBRARY_PATH: ""}])
def test_no_empty_entry_is_made(name: str, base: dict[str, str]) -> None:
    """To the loader an empty directory is the present one, where anybody may have put a library."""
    assert environment(_adding(name, "/a", "/b"), base)[name] == "/a:/b"


@SEARCHED
@pytest.mark.parametrize("present", [":/x", "/x:", "/x::", ":/x:"])
def test_an_empty_entry_of_the_user_is_not_kept_behind_ours(name: str, present: str) -> None:
    """It was an accident of joining; what was named stays."""
    assert environment(_adding(name, "/a"), {name: present})[name] == "/a:/x"


@SEARCHED
def test_without_an_addition_the_users_is_untouched(name: str) -> None:
    """Also when it is spelled in a way that we would not."""
    assert environment(ContainerEdits(), {name: ":/x:/x:"}) == {name: ":/x:/x:"}


@SEARCHED
def test_a_variable_that_the_edits_set_is_added_to_as_well(name: str) -> None:
    """A vendor that sets the variable itself loses nothing by another that adds a library."""
    edits = ContainerEdits(env={name: "/vendor"}, preload=("/a",), library_path=("/a",))
    assert environment(edits, {name: "/user"})[name] == "/a:/vendor"


def test_mounts_and_device_nodes_need_nothing_on_this_machine() -> None:
    """The process sees the machine as it is."""
    edits = ContainerEdits(mounts=(Mount(host_path="/a", container_path="/b"),), device_nodes=("/dev/fake0",))
    assert environment(edits, {"HOME": "/root"}) == {"HOME": "/root"}


# Several vendors' edits as one


def test_of_nothing_nothing_is_merged() -> None:
    """A pod that asks for no device gets no edits."""
    assert merged([]) == ContainerEdits()


@given(edits=EDITS)
def test_edits_with_none_are_themselves(edits: ContainerEdits) -> None:
    """Empty edits change nothing on either side; only repetitions go."""
    alone = merged([edits])
    assert merged([ContainerEdits(), edits, ContainerEdits()]) == alone
    assert (alone.env, alone.mounts) == (edits.env, edits.mounts)
    assert alone.preload == tuple(dict.fromkeys(edits.preload))


@given(first=EDITS, second=EDITS, third=EDITS)
def test_how_edits_are_grouped_makes_no_difference(
    first: ContainerEdits, second: ContainerEdits, third: ContainerEdits
) -> None:
    """Only their order counts."""
    assert merged([merged([first, second]), third]) == merged([first, second, third])
    assert merged([first, merged([second, third])]) == merged([first, second, third])


@given(first=EDITS, second=EDITS)
def test_of_two_that_set_a_variable_the_later_one_wins(first: ContainerEdits, second: ContainerEdits) -> None:
    """And every variable of either is there."""
    assert merged([first, second]).env == {**first.env, **second.env}


@given(parts=st.lists(EDITS, max_size=4))
def test_nothing_is_lost_and_order_is_kept(parts: list[ContainerEdits]) -> None:
    """Each library, directory, device and mount of each part, first come first; none twice where twice is an error."""
    result = merged(parts)
    assert result.mounts == tuple(mount for part in parts for mount in part.mounts)
    for name in ("device_nodes", "preload", "library_path"):
        given_ones = [path for part in parts for path in getattr(part, name)]
        assert getattr(result, name) == tuple(dict.fromkeys(given_ones))


@given(parts=st.lists(EDITS, max_size=3), base=VARIABLES)
def test_merging_may_be_done_from_any_iterable(parts: list[ContainerEdits], base: dict[str, str]) -> None:
    """A generator is read once."""
    assert environment(merged(iter(parts)), base) == environment(merged(parts), base)


@pytest.mark.parametrize("path", ["/a b/lib.so", "/a:b/lib.so", "/a\tb/lib.so", "/a;b/lib.so"])
@pytest.mark.parametrize("kind", ["preload", "library_path"])
def test_a_path_that_the_loader_would_cut_is_refused(kind: str, path: str) -> None:
    """The loader would skip the parts and run the program without its limits."""
    with pytest.raises(EnforcementError, match="install hetero in another directory"):
        environment(ContainerEdits(**{kind: (path,)}), {})
