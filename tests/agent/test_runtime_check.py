"""Which container runtimes are trusted with limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.agent.runtime_check import judge


@pytest.mark.parametrize(
    "version", ["containerd://2.2.9", "containerd://v2.0.0-rc.1", "cri-o://1.23.0", "cri-o://1.35.1"]
)
def test_runtimes_that_read_cdi_serve_without_a_word(version: str) -> None:
    """Those that do so without being told."""
    found = judge(version)
    assert (found.serves, found.concern) == (True, "")


@pytest.mark.parametrize(
    "version", ["containerd://1.6.20~ds1", "containerd://1.5.0", "cri-o://1.22.9", "docker://28.1.1"]
)
def test_runtimes_that_pass_cdi_over_do_not_serve(version: str) -> None:
    """They would start every pod, without limits and without a word: the sentence says so, and what to use."""
    found = judge(version)
    assert not found.serves
    assert version in found.concern
    assert "without their devices and limits; use containerd 2.0 or newer, or CRI-O 1.23 or newer" in found.concern


def test_containerd_1_7_is_trusted_with_a_warning() -> None:
    """It can, when it is told to, and nobody can ask it."""
    found = judge("containerd://1.7.27")
    assert found.serves
    assert "enable_cdi = true" in found.concern


@given(st.text())
def test_nonsense_does_not_serve(version: str) -> None:
    """What is not known is not trusted with limits."""
    if "://" not in version:
        assert not judge(version).serves
