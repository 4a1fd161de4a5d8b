"""Which resource belongs to whom, and what was meant by one that is misspelt."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hetero.admission.words import Words
from hetero.model.resources import Resources
from hetero.testing.fake import fake_resources, fake_vendor

NPU, MEMORY = "fake.example/npu", "fake.example/npumem"


@pytest.fixture
def words() -> Words:
    """Those of two vendors."""
    return Words({name: fake_vendor(name) for name in ("fake", "other")})


def test_every_resource_has_its_owner(words: Words) -> None:
    """All names of all families, and no others."""
    assert words.owners[NPU].name == words.owners[MEMORY].name == "fake"
    assert words.owners["other.example/npu"].name == "other"
    assert len(words.owners) == 2 * len(fake_resources().names())


def test_families_are_named_by_any_of_their_resources(words: Words) -> None:
    """Each once, in the order of the vendors, whatever the order of the resources."""
    named = words.named(["cpu", "other.example/npumem", MEMORY, NPU, "else.example/x"])
    assert [vendor.name for vendor, _ in named] == ["fake", "other"]
    assert words.named(["cpu", "else.example/x"]) == []


def test_a_resource_may_belong_to_several_families() -> None:
    """A vendor's families may share the name of a priority: then each reads it."""
    one = fake_resources()
    two = Resources(vendor="fake", family="b", count="fake.example/b", priority=one.priority)
    words = Words({"fake": replace(fake_vendor(), resources=(one, two))})
    assert [family.family for _, family in words.named([one.priority])] == ["", "b"]
    assert [family.family for _, family in words.named(["fake.example/b"])] == ["b"]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("fake.example/npumemory", MEMORY),
        ("fake.example/NPU", NPU),
        ("fake.example/npu-cores", "fake.example/npucores"),
        (MEMORY, ""),
        ("fake.example/mig-1g.5gb", ""),
        ("fake.example/", ""),
        ("fak.example/npu", ""),
        ("npu", ""),
        ("cpu", ""),
        ("", ""),
    ],
)
def test_only_what_is_nearly_right_is_doubted(words: Words, name: str, meant: str) -> None:
    """Another plugin may count resources in a vendor's domain, and any in its own."""
    assert words.misspelt(name) == meant


def test_there_may_be_no_vendor() -> None:
    """Then nothing is anybody's."""
    words = Words({})
    assert (words.families, words.owners, words.named([NPU]), words.misspelt(NPU)) == ((), {}, [], "")


def test_names_in_a_vendors_domain_are_kin() -> None:
    """In order; its own resources and those of other domains are not."""
    words = Words({"fake": fake_vendor()})
    assert list(words.kin(["fake.example/z", NPU, "cpu", "elsewhere.example/z", "fake.example/a"])) == [
        "fake.example/a",
        "fake.example/z",
    ]
