"""The files in which the driver describes vDCUs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hetero_hygon import conf, cumask
from hetero_hygon.conf import Vdcu
from hypothesis import given
from hypothesis import strategies as st

TEXT = """PciBusId: 0000:33:00.0
cu_mask: 0x0000000000007fff
cu_mask: 0x0000000000000001
cu_count: 16
mem: 8192 MiB
device_id: 0
vdev_id: 3
pipe_id: 0
enable: 1
"""
FOUND = Vdcu(number=3, bus="0000:33:00.0", mask=0x7FFF | 1 << 64, units=16, memory=8192, enabled=True)


def test_a_file_is_read() -> None:
    """As the driver writes it: the low word of the mask comes first."""
    assert conf.parse(3, TEXT) == FOUND


@pytest.mark.parametrize("more", ["encryption: 0\n", "\n# said by hand\n", "key: a: b\n"])
def test_unknown_lines_are_passed_over(more: str) -> None:
    """Newer drivers write more of them."""
    assert conf.parse(3, TEXT + more) == FOUND


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("mem: 8192 MiB", "mem: 8 GiB"),
        ("mem: 8192 MiB", ""),
        ("cu_mask: 0x0000000000007fff\n", ""),
        ("cu_mask: 0x0000000000007fff", "cu_mask: all"),
        ("cu_count: 16", "cu_count: many"),
        ("vdev_id: 3", "vdev_id: 4"),
        ("vdev_id: 3", ""),
        ("PciBusId: 0000:33:00.0", "PciBusId:"),
    ],
)
def test_what_is_not_understood_is_no_vdcu(line: str, other: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(ValueError, match=r"\w"):
        conf.parse(3, TEXT.replace(line, other))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """By one kind of error, whatever it is."""
    found = None
    with contextlib.suppress(ValueError):
        found = conf.parse(0, text)
    assert found is None or found.number == 0


@given(st.integers(0, 2**128 - 1), st.integers(1, 2**20), st.integers(0, 9999))
def test_masks_and_memory_come_back(mask: int, memory: int, number: int) -> None:
    """Whatever they are."""
    low, high = cumask.words(mask)
    text = (
        f"PciBusId: 0000:33:00.0\ncu_mask: {low:#018x}\ncu_mask: {high:#018x}\ncu_count: {cumask.size(mask)}\n"
        f"mem: {memory} MiB\nvdev_id: {number}\nenable: 0\n"
    )
    found = conf.parse(number, text)
    assert (found.mask, found.memory, found.units, found.enabled) == (mask, memory, cumask.size(mask), False)


def test_the_directory_is_read_as_it_is(machine: Callable[..., Any]) -> None:
    """Other files in it are none, broken ones are counted and not believed, and it may not be there."""
    directory = machine().path("/etc/vdev")
    (directory / "vdev3.conf").write_text(TEXT)
    (directory / "vdev4.conf").write_text("half a fi")
    (directory / "encryp.conf").write_text("")
    (directory / "docker").mkdir()
    assert conf.numbers() == {3, 4}
    assert conf.everything() == (FOUND,)
    assert conf.read(4) is None
    assert conf.read(5) is None
    assert conf.text_of(3) == TEXT
    directory.rename(directory.with_name("gone"))
    assert conf.numbers() == frozenset()
    assert conf.everything() == ()
