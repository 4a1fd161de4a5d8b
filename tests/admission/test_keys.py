"""Annotations that nobody reads are told from those that somebody does, and from those of other programs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.admission import keys, policies
from hetero.admission.keys import DOUBTED, Keys
from hetero.model.annotations import PLACEMENT, RETRY
from hetero.testing.fake import fake_resources, fake_vendor

RESOURCES = replace(fake_resources(), further_annotations=("fake.example/split-mode",))
VENDORS = {"fake": replace(fake_vendor("fake"), resources=(RESOURCES,))}
KEYS = Keys(VENDORS, ["hetero.io/webhook"])
READ = (*policies.ANNOTATIONS, *RESOURCES.annotations(), *RESOURCES.further_annotations)


def doubts(*keys: str) -> list[str]:
    """What is said of these."""
    return list(KEYS.doubts(keys))


def test_what_somebody_reads_or_hetero_writes_is_not_doubted() -> None:
    """Nor what is of programs that are nobody's business here, however like ours it is."""
    assert doubts(*READ, PLACEMENT, RETRY) == []
    assert doubts("prometheus.io/scrape", "node-policy", "acme.example/node-policy", "hetero.io.example/x", "") == []


@given(key=st.sampled_from(READ), data=st.data())
def test_one_letter_too_few_or_in_another_case_is_found(key: str, data: st.DataObject) -> None:
    """And what was meant is named, unless what is left is another one that there is."""
    domain, tail = key.split("/")
    place = data.draw(st.integers(0, len(tail) - 1))
    wrong = data.draw(st.sampled_from([tail[:place] + tail[place + 1 :], tail.upper()]))
    [doubt] = doubts(f"{domain}/{wrong}")
    assert doubt.startswith(f"annotation {domain}/{wrong} is none of ")
    assert doubt.endswith("?")
    if wrong == tail.upper():
        assert doubt.endswith(f"did you mean {key}?")


def test_in_a_vendors_domain_only_what_is_nearly_right_is_doubted() -> None:
    """Its own plugin has annotations there that hetero does not read."""
    assert doubts("fake.example/driver-version") == []
    assert doubts("fake.example/splitmode") == [
        "annotation fake.example/splitmode is none of Fake NPU; did you mean fake.example/split-mode?"
    ]


@pytest.mark.parametrize("key", ["hetero.io/zzz", "hetero.io/", "hetero.io"])
def test_in_our_own_domain_there_is_nobody_else(key: str) -> None:
    """What is like nothing is told what there is."""
    [doubt] = doubts(key)
    assert doubt == f"annotation {key} means nothing to hetero; there are: {', '.join(OURS)}"


OURS = [key for key in policies.ANNOTATIONS if key.startswith("hetero.io/")]


def test_a_label_is_no_annotation() -> None:
    """The sentence says where it belongs."""
    assert doubts("hetero.io/webhook") == [
        "annotation hetero.io/webhook means nothing: it is a label; move it to metadata.labels"
    ]


def test_only_some_are_compared_and_always_the_same() -> None:
    """A pod may have thousands; a second review has the same answer."""
    many = [f"hetero.io/node-policy{number:04}" for number in range(5000)]
    assert len(doubts(*many)) == DOUBTED
    assert doubts(*reversed(many)) == doubts(*many)
    assert len(doubts("hetero.io/" + "x" * 300)[0]) < 400


def test_of_a_key_that_cannot_be_right_nothing_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request may be three megabytes of them, and the API server looks at keys after the webhook."""
    compared: list[int] = []

    def close(word: str, *_: object, **__: object) -> list[str]:
        compared.append(len(word))
        return []

    monkeypatch.setattr(keys, "get_close_matches", close)
    [doubt] = doubts(f"hetero.io/{'p' * (keys.LONGEST + 1)}")
    assert ("means nothing to hetero" in doubt, compared) == (True, [])
    doubts(f"hetero.io/{'p' * keys.LONGEST}")
    assert compared == [keys.LONGEST]
