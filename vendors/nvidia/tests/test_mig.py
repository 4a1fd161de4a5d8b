"""Instances of hardware: every profile of every board, where it may lie, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hetero_nvidia import mig
from hetero_nvidia.resources import RESOURCES
from hetero_nvidia.splitting import GpuSplitting, gpu_model
from hypothesis import given
from hypothesis import strategies as st

from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel
from hetero.model.share import Reason, Refusal, Share

splitting = GpuSplitting()

# Name and MiB of a board as nvidia-smi tells them; its profiles with compute slices, MiB, percent and starts.
TABLE = {
    ("NVIDIA A30", 24576): "1g.6gb:1:5529:25:3210 2g.12gb:2:11059:50:02 4g.24gb:4:24084:100:0",
    ("NVIDIA A100-SXM4-40GB", 40960): (
        "1g.5gb:1:4864:14:6543210 1g.5gb+me:1:4864:14:6543210 1g.10gb:1:9856:14:6420 "
        "2g.10gb:2:9856:28:024 3g.20gb:3:20096:42:40 4g.20gb:4:20096:57:0 7g.40gb:7:40192:100:0"
    ),
    ("NVIDIA A100 80GB PCIe", 81920): (
        "1g.10gb:1:9728:14:6543210 1g.10gb+me:1:9728:14:6543210 1g.20gb:1:19968:14:6420 "
        "2g.20gb:2:19968:28:024 3g.40gb:3:40192:42:40 4g.40gb:4:40192:57:0 7g.80gb:7:80896:100:0"
    ),
    ("NVIDIA H100 80GB HBM3", 81559): (
        "1g.10gb:1:9984:14:6543210 1g.10gb+me:1:9984:14:6543210 1g.20gb:1:20096:14:6420 "
        "2g.20gb:2:20096:28:024 3g.40gb:3:40448:42:40 4g.40gb:4:40448:57:0 7g.80gb:7:81152:100:0"
    ),
    ("NVIDIA H100 NVL", 95830): (
        "1g.12gb:1:10780:14:6543210 1g.12gb+me:1:10780:14:6543210 1g.24gb:1:21561:14:6420 "
        "2g.24gb:2:21561:28:024 3g.47gb:3:43123:42:40 4g.47gb:4:43123:57:0 7g.94gb:7:93913:100:0"
    ),
    ("NVIDIA H20", 97871): (
        "1g.12gb:1:11010:14:6543210 1g.12gb+me:1:11010:14:6543210 1g.24gb:1:22020:14:6420 "
        "2g.24gb:2:22020:28:024 3g.48gb:3:44041:42:40 4g.48gb:4:44041:57:0 7g.96gb:7:95913:100:0"
    ),
    ("NVIDIA H200", 143771): (
        "1g.18gb:1:16384:14:6543210 1g.18gb+me:1:16384:14:6543210 1g.35gb:1:33280:14:6420 "
        "2g.35gb:2:33280:28:024 3g.71gb:3:71424:42:40 4g.71gb:4:71424:57:0 7g.141gb:7:143360:100:0"
    ),
    ("NVIDIA B200", 183359): (
        "1g.23gb:1:20627:14:6543210 1g.23gb+me:1:20627:14:6543210 1g.45gb:1:41255:14:6420 "
        "2g.45gb:2:41255:28:024 3g.90gb:3:82511:42:40 4g.90gb:4:82511:57:0 7g.180gb:7:179691:100:0"
    ),
    ("NVIDIA RTX PRO 6000 Blackwell Server Edition", 97887): (
        "1g.24gb:1:22024:25:3210 2g.48gb:2:44049:50:02 4g.96gb:4:95929:100:0"
    ),
}
WIDTHS = {7: {1: 1, 2: 2, 3: 4, 4: 4, 7: 8}, 4: {1: 1, 2: 2, 4: 4}}
MOST = {7: {"1g": 7, "1g+me": 1, "1g wide": 4, "2g": 3, "3g": 2, "4g": 1, "7g": 1}, 4: {"1g": 4, "2g": 2, "4g": 1}}

MODELS = {name: splitting.model(name, memory, "mig") for name, memory in TABLE}
A100 = MODELS["NVIDIA A100-SXM4-40GB"]


class Row(NamedTuple):
    """A profile of the table."""

    board: str
    name: str
    slices: int
    memory: int
    cores: int
    starts: list[int]


def rows() -> Iterator[Row]:
    """All that stand in the table."""
    for (board, _), text in TABLE.items():
        for row in text.split():
            name, slices, memory, cores, starts = row.split(":")
            yield Row(board, name, int(slices), int(memory), int(cores), [int(start) for start in starts])


ROWS = list(rows())


def shares(model: DeviceModel, **ask: object) -> list[Share]:
    """All places of an ask, the first in front."""
    asked = Ask(vendor="nvidia", **ask)
    first = splitting.split(model, asked)
    assert isinstance(first, Share), first
    return [first, *splitting.alternatives(model, asked)]


def places(share: Share) -> list[int]:
    """The memory slices that a share takes."""
    return [
        int(name.removeprefix("mig-slice-"))
        for name, amount in share.quantities.items()
        if name.startswith("mig-slice") and amount
    ]


def of_board(board: str) -> list[Row]:
    """The profiles of a board."""
    return [row for row in ROWS if row.board == board]


def width(row: Row) -> int:
    """Memory slices of a profile, by the guide: 3g has as many as 4g, and a wide 1g has as many as 2g."""
    smallest = of_board(row.board)[0]
    wide = row.slices == 1 and row.memory > smallest.memory
    return 2 if wide else WIDTHS[of_board(row.board)[-1].slices][row.slices]


def placeable(model: DeviceModel, taken: list[Share], names: list[str]) -> bool:
    """True when there are places for all of them."""
    if not names:
        return True
    options = [share for share in shares(model, template=names[0]) if fits(model, taken, share)]
    return any(placeable(model, [*taken, share], names[1:]) for share in options)


def fits(model: DeviceModel, taken: Sequence[Share], share: Share) -> bool:
    """True when the device has room for one more."""
    return all(
        sum(one.quantities.get(name, 0) for one in (*taken, share)) <= amount for name, amount in model.capacity.items()
    )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.board}-{row.name}")
def test_every_profile_of_every_board(row: Row) -> None:
    """By name: what it costs in each dimension, and each place where it may lie in the order of preference."""
    found = shares(MODELS[row.board], template=row.name)
    assert [share.template for share in found] == [row.name] * len(row.starts)
    for share, start in zip(found, row.starts, strict=True):
        assert (share.quantities[SLOTS], share.memory, share.cores) == (row.slices, row.memory, row.cores)
        assert places(share) == list(range(start, start + width(row)))


@pytest.mark.parametrize("board", MODELS)
def test_the_table_has_every_profile(board: str) -> None:
    """No board has one that is not written down above."""
    assert [one.name for one in mig.profiles_of(MODELS[board])] == [row.name for row in of_board(board)]


@pytest.mark.parametrize("board", MODELS)
def test_memory_is_rounded_up_to_the_next_profile(board: str) -> None:
    """Each size and one more or less: the smallest profile that has it, in memory slices and then in compute."""
    plain = [row for row in of_board(board) if "+" not in row.name]
    for memory in {row.memory + more for row in plain for more in (-1, 0, 1)} - {plain[-1].memory + 1}:
        smallest = next(row.name for row in plain if row.memory >= memory)
        assert shares(MODELS[board], memory=memory)[0].template == smallest
    found = splitting.split(MODELS[board], Ask(vendor="nvidia", memory=plain[-1].memory + 1))
    assert isinstance(found, Refusal)
    assert found.reason is Reason.INSUFFICIENT_MEMORY
    assert f"{plain[-1].memory} MiB of memory, asked {plain[-1].memory + 1} MiB" in found.message


@pytest.mark.parametrize("board", MODELS)
def test_compute_is_rounded_up_to_the_next_profile(board: str) -> None:
    """Each percentage and one more or less, with hardly any memory."""
    plain = [row for row in of_board(board) if "+" not in row.name]
    for cores in {row.cores + more for row in plain for more in (-1, 0, 1)} - {101}:
        smallest = next(row.name for row in plain if row.cores >= cores)
        assert shares(MODELS[board], memory=1, cores=cores)[0].template == smallest


@pytest.mark.parametrize("board", MODELS)
@pytest.mark.parametrize(
    "ask", [{"cores": 100}, {"cores": 100, "memory": 1}, {}, {"cores": 30}, {"memory_percentage": 100}]
)
def test_a_whole_gpu_is_the_largest_profile(board: str, ask: dict[str, int]) -> None:
    """Who asks for all of the compute, or names no memory, gets the whole: nothing fits beside it."""
    [whole] = shares(MODELS[board], **ask)
    assert whole.template == [row.name for row in of_board(board)][-1]
    assert len(places(whole)) == len([name for name in MODELS[board].capacity if name.startswith("mig-slice")])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.board}-{row.name}")
def test_a_card_is_filled_to_the_documented_number(row: Row) -> None:
    """Instances of one profile, one after another at the first place that is free: as many as NVIDIA's table has."""
    model, taken = MODELS[row.board], list[Share]()
    while free := [share for share in shares(model, template=row.name) if fits(model, taken, share)]:
        taken.append(free[0])
    suffix = "+me" if "+me" in row.name else " wide" if width(row) > row.slices == 1 else ""
    assert len(taken) == MOST[of_board(row.board)[-1].slices][f"{row.slices}g{suffix}"]


@pytest.mark.parametrize(
    ("profiles", "room"),
    [
        ("1g.5gb 1g.5gb 1g.5gb 1g.5gb 3g.20gb", True),
        ("3g.20gb 4g.20gb", True),
        ("4g.20gb 3g.20gb", True),
        ("2g.10gb 2g.10gb 2g.10gb 1g.5gb", True),
        ("2g.10gb 2g.10gb 3g.20gb", True),
        ("4g.20gb 2g.10gb 1g.5gb", True),
        ("1g.5gb+me 1g.5gb 1g.5gb 4g.20gb", True),
        ("3g.20gb 3g.20gb 1g.5gb", False),
        ("4g.20gb 4g.20gb", False),
        ("7g.40gb 1g.5gb", False),
        ("1g.5gb+me 1g.5gb+me", False),
        ("1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb 1g.5gb", False),
    ],
)
def test_mixed_cards_of_the_guide(profiles: str, room: bool) -> None:
    """Combinations that NVIDIA's guide shows, and some that cannot be, each at its preferred place in turn."""
    assert placeable(A100, [], profiles.split()) is room


@given(
    model=st.sampled_from(list(MODELS.values())),
    picks=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=16),
)
def test_places_never_overlap(model: DeviceModel, picks: list[tuple[int, int]]) -> None:
    """Whatever is put on a card, wherever: within its capacity no two instances share a slice, of memory or compute."""
    taken: list[Share] = []
    profiles = mig.profiles_of(model)
    for profile, place in picks:
        options = shares(model, template=profiles[profile % len(profiles)].name)
        if fits(model, taken, options[place % len(options)]):
            taken.append(options[place % len(options)])
    used = [place for share in taken for place in places(share)]
    assert len(used) == len(set(used))
    assert sum(share.quantities[SLOTS] for share in taken) <= model.capacity[SLOTS]
    assert sum(share.memory for share in taken) <= model.capacity[MEMORY]
    assert sum(share.cores for share in taken) <= model.capacity[CORES]


@pytest.mark.parametrize("board", MODELS)
def test_the_position_can_be_read_from_the_share(board: str) -> None:
    """What was placed by its slices is made at just those: first slice and number of slices."""
    for row in of_board(board):
        for share, start in zip(shares(MODELS[board], template=row.name), row.starts, strict=True):
            assert mig.position(share.quantities) == (start, width(row))
    assert mig.position({SLOTS: 1, MEMORY: 1}) == (0, 0)


@pytest.mark.parametrize(("name", "memory"), [("NVIDIA L4", 23034), ("NVIDIA A100", 60000), ("NVIDIA H1000", 81559)])
def test_a_board_that_is_not_known_is_refused_with_the_way_out(name: str, memory: int) -> None:
    """Part of a name, or another size, is another board: no instance is promised on it."""
    found = splitting.split(splitting.model(name, memory, "mig"), Ask(vendor="nvidia", memory=1))
    assert isinstance(found, Refusal)
    assert found.reason is Reason.UNSUPPORTED
    assert "turn the mode off" in found.message
    assert splitting.alternatives(splitting.model(name, memory, "mig"), Ask(vendor="nvidia", memory=1)) == ()


def test_a_profile_that_a_board_does_not_have_is_refused_with_those_that_it_has() -> None:
    """A pod for an A100 with 80 GB does not get half of it on one with 40."""
    found = splitting.split(A100, Ask(vendor="nvidia", template="3g.40gb", mode="mig"))
    assert isinstance(found, Refusal)
    assert found.reason is Reason.MODEL_MISMATCH
    assert "has no profile 3g.40gb; it has 1g.5gb, 1g.5gb+me" in found.message


def test_a_profile_on_a_gpu_that_is_not_partitioned_is_refused() -> None:
    """An instance is of hardware: a share by software is not given in its place."""
    found = splitting.split(splitting.model("NVIDIA A100-SXM4-40GB", 40960), Ask(vendor="nvidia", template="1g.5gb"))
    assert isinstance(found, Refusal)
    assert found.reason is Reason.UNSUPPORTED


def test_half_of_the_compute_is_not_three_slices() -> None:
    """42 percent is less than 50: the next profile is taken and charged."""
    assert shares(A100, memory=1, cores=43)[0].template == "4g.20gb"
    assert shares(A100, memory=1, cores=42)[0].template == "3g.20gb"


@pytest.mark.parametrize(
    ("memory", "total", "size"),
    [
        (4864, 40960, 5),
        (9984, 40960, 10),
        (16384, 143771, 18),
        (71424, 143771, 71),
        (20627, 183359, 23),
        (79000, 81920, 80),
    ],
)
def test_names_follow_nvidias_rule(memory: int, total: int, size: int) -> None:
    """Eighths of the whole, half a gigabyte up: the numbers are those of boards that people have seen."""
    assert mig.gigabytes(memory, total) == size


@given(total=st.integers(8192, 400_000), eighths=st.integers(1, 8), kept=st.integers(0, 100))
def test_the_rule_of_names_is_that_of_fractions(total: int, eighths: int, kept: int) -> None:
    """A size within an eighth below a whole number of eighths is named as those, rounded half away from zero."""
    memory = total * eighths // 8 - kept * (total // 8 - 2) // 100
    exact = eighths / 8 * -(-total // 1024)
    assert abs(mig.gigabytes(memory, total) - exact) <= 0.5
    assert mig.gigabytes(memory, total) >= exact - 0.49 or exact % 1 != 0.5


def test_a_kubelet_counts_the_instances_of_each_profile_by_its_name() -> None:
    """On a GPU in MIG mode as many of each as there are programs; one that is shared by software has none."""
    split = RESOURCES.counted(gpu_model("NVIDIA H100 80GB HBM3", 81559, mig.MODE))
    assert split["nvidia.com/gpu"] == split["nvidia.com/mig-1g.10gb"] == split["nvidia.com/mig-1g.10gb.me"] == 7
    assert "nvidia.com/mig-1g.18gb" not in split
    assert set(split) <= {name.name for name in RESOURCES.names()}
    assert RESOURCES.counted(gpu_model("NVIDIA H100 80GB HBM3", 81559)) == {"nvidia.com/gpu": 10}
