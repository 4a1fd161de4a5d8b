"""How much of a GPU an ask takes."""

from __future__ import annotations

import re

import pytest
from hetero_nvidia.splitting import SLOTS_PER_GPU, GpuSplitting, gpu_model
from hypothesis import given
from hypothesis import strategies as st

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel
from hetero.model.share import Reason, Refusal, Share

splitting = GpuSplitting()
L4 = gpu_model("NVIDIA L4", 23034)


def share(model: DeviceModel = L4, **ask: int) -> Share:
    """What this ask takes, which must not be refused."""
    found = splitting.split(model, Ask(vendor="nvidia", **ask))
    assert isinstance(found, Share)
    return found


def refusal(model: DeviceModel = L4, **ask: int) -> Refusal:
    """Why this ask is refused."""
    found = splitting.split(model, Ask(vendor="nvidia", **ask))
    assert isinstance(found, Refusal)
    return found


def test_memory_is_given_to_the_mib() -> None:
    """Software limits know no granularity: what is asked is charged, in one slot."""
    assert share(memory=1001, cores=30).quantities == {SLOTS: 1, MEMORY: 1001, CORES: 30}


def test_no_word_about_memory_takes_all_of_it() -> None:
    """Half of the compute with no memory named shares no memory, so nobody is surprised by a neighbour."""
    assert share(cores=50).memory == 23034


@pytest.mark.parametrize(
    ("total", "percent", "memory"), [(10000, 25, 2500), (999, 50, 499), (1, 1, 1), (23034, 100, 23034)]
)
def test_percent_round_down_to_whole_mib(total: int, percent: int, memory: int) -> None:
    """A percentage never takes more than it says, save that nothing is less than 1 MiB."""
    assert share(gpu_model("X", total), memory_percentage=percent).memory == memory


def test_two_halves_fit_an_odd_total() -> None:
    """Two programs that each ask 50 % can always live on one GPU."""
    odd = gpu_model("X", 24563)
    assert 2 * share(odd, memory_percentage=50).memory <= 24563


def test_mib_win_over_percent() -> None:
    """Resources refuse both at once; should both arrive, the exact figure counts."""
    assert share(memory=512, memory_percentage=50).memory == 512


def test_a_whole_gpu_takes_every_slot() -> None:
    """Who asks for all of the compute is alone: no slot is left for anybody, whatever memory remains."""
    assert share(memory=1024, cores=100).quantities == {SLOTS: SLOTS_PER_GPU, MEMORY: 1024, CORES: 100}


def test_almost_all_of_the_compute_leaves_slots() -> None:
    """99 percent is not the whole GPU: a program that asks for memory alone may still come."""
    assert share(memory=1024, cores=99).quantities[SLOTS] == 1


def test_the_last_mib_can_be_had() -> None:
    """The limit itself is within the limit."""
    assert share(memory=23034).memory == 23034


def test_more_memory_than_there_is_is_refused_with_both_figures() -> None:
    """The sentence says what was asked and what the GPU has, so that the user sees by how much to come down."""
    found = refusal(memory=23035)
    assert found.reason is Reason.INSUFFICIENT_MEMORY
    assert found.message == "NVIDIA L4 has 23034 MiB of memory, asked 23035 MiB"


@pytest.mark.parametrize(("mode", "word"), [("mig", ""), ("", "mig"), ("mig", "hami-core")])
def test_a_gpu_of_another_mode_does_not_serve(mode: str, word: str) -> None:
    """Who asks for a way of splitting gets that or a sentence with the mode, whose reason says it is the mode."""
    model = gpu_model("NVIDIA A100-SXM4-40GB", 40960, mode)
    found = splitting.split(model, Ask(vendor="nvidia", memory=1, mode=word))
    if not word:
        assert isinstance(found, Share)
        return
    assert isinstance(found, Refusal)
    assert found.reason is Reason.UNSUPPORTED
    assert f"{'in' if mode else 'not in'} MIG mode, asked for {word}" in found.message


def test_the_mode_of_software_is_served_by_software() -> None:
    """The annotation that existing manifests have says what is the case anyway."""
    assert splitting.split(L4, Ask(vendor="nvidia", memory=1, mode="hami-core")) == share(memory=1)


def test_a_model_from_a_file_is_the_model_from_the_driver() -> None:
    """A cluster in a file is planned as the real one: both describe a GPU by the very same record."""
    assert splitting.model("NVIDIA L4", 23034) == L4
    assert L4.capacity == {SLOTS: 10, MEMORY: 23034, CORES: 100}


def test_the_mode_of_a_model_can_be_written() -> None:
    """``mode: mig`` in a cluster file describes a partitioned GPU."""
    assert splitting.model("NVIDIA A100", 40000, "mig").mode == "mig"
    assert splitting.model("NVIDIA A100", 40000, "mig") == splitting.model("NVIDIA A100", 40960, "mig")


@pytest.mark.parametrize(
    ("name", "memory", "mode", "field"),
    [(" ", 1, "", "model"), ("L4", 0, "", "memory"), ("L4", -5, "", "memory"), ("L4", 1, "MIG", "mode")],
)
def test_what_is_no_gpu_is_refused_with_its_field(name: str, memory: int, mode: str, field: str) -> None:
    """A typing error in a cluster file is told with the field and an example of what to write."""
    with pytest.raises(InvalidValue, match=re.compile("write")) as caught:
        splitting.model(name, memory, mode)
    assert caught.value.field == field


asks = st.builds(
    Ask,
    vendor=st.just("nvidia"),
    memory=st.none() | st.integers(1, 2**20),
    memory_percentage=st.none() | st.integers(1, 100),
    cores=st.integers(0, 100),
)


@given(total=st.integers(1, 2**20), ask=asks)
def test_a_share_is_always_within_the_capacity(total: int, ask: Ask) -> None:
    """Every dimension of a share is one of the model's, not negative, and no more than the model has."""
    model = gpu_model("X", total)
    found = splitting.split(model, ask)
    if isinstance(found, Refusal):
        assert ask.memory is not None
        assert ask.memory > total
        return
    assert set(found.quantities) == set(model.capacity)
    assert all(0 <= amount <= model.capacity[name] for name, amount in found.quantities.items())


@given(total=st.integers(100, 2**20), parts=st.lists(st.integers(1, 100), min_size=1).filter(lambda p: sum(p) <= 100))
def test_percentages_that_sum_to_a_hundred_fit(total: int, parts: list[int]) -> None:
    """However a GPU is cut into percentages, the parts are never more than the whole."""
    model = gpu_model("X", total)
    assert sum(share(model, memory_percentage=part).memory for part in parts) <= total
