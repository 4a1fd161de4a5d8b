"""Machines are nodes of their own name."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.cluster.node import machines


def test_nodes_are_called_as_their_files_are() -> None:
    """In letters that a node's name may have; the same machine twice makes two nodes."""
    made = machines.named(["a/Two_Cards.yaml", "b/x.yaml", "b/x.yaml"])
    assert list(made) == ["two-cards", "x", "x-2"]
    assert made["x"] == made["x-2"] == Path("b/x.yaml").absolute()


@given(st.lists(st.sampled_from(["x.yaml", "x-2.yaml", "y.yaml"]), min_size=1, max_size=9))
def test_every_file_is_a_node(files: list[str]) -> None:
    """However often it comes, and whatever others are called."""
    assert len(machines.named(files)) == len(files)


def test_without_a_word_they_are_the_machines_of_the_scenarios() -> None:
    """Each of them described by a file that is there."""
    assert machines.named([]) == machines.NODES
    assert all(file.is_file() for file in machines.NODES.values())
