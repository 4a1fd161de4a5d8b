"""MIG: which instances the hardware of a GPU can be cut into, and where on it they may lie. Pure.

A GPU has compute slices and, beside them, slices of memory; an instance takes some of both, the memory side by side. So
what an instance takes is a position: each memory slice is a dimension of the model with a capacity of 1.

Source: NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles" and "Concepts"; the placements and the
MiB of H100 and H200 as their driver (580.159.04) told them, those of A100 as published outputs of ``nvidia-smi mig
-lgip`` have them; names by the rule of NVIDIA's go-nvlib.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel, Quantities
from hetero.model.share import Share

MODE = "mig"
"""The mode of a GPU that is partitioned by hardware."""

SLICE = "mig-slice-"
"""With the number of a memory slice: the dimension that says whether it is taken."""

MEDIA = "mig-media"
"""The dimension of what a GPU has once: its decoders for pictures and its optical flow, of a profile ``+me``."""

_EIGHTHS = 8  # in which the rule of names counts


@dataclass(frozen=True)
class Kind:
    """A kind of instance, as all boards of a layout have it.

    Attributes:
        slices: Compute slices.
        places: Memory slices.
        starts: First memory slices where it may lie, the one to be tried first in front: small ones and those of three
            slices come from the high end, others from the low end, so that they leave each other room.
        media: It has what the GPU has once; ``+me`` in its name unless it is the whole GPU.
    """

    slices: int
    places: int
    starts: tuple[int, ...]
    media: bool = False


SEVEN = (
    Kind(1, 1, (6, 5, 4, 3, 2, 1, 0)),
    Kind(1, 1, (6, 5, 4, 3, 2, 1, 0), media=True),
    Kind(1, 2, (6, 4, 2, 0)),
    Kind(2, 2, (0, 2, 4)),
    Kind(3, 4, (4, 0)),
    Kind(4, 4, (0,)),
    Kind(7, 8, (0,), media=True),
)
"""Seven compute slices and eight of memory."""

FOUR = (Kind(1, 1, (3, 2, 1, 0)), Kind(2, 2, (0, 2)), Kind(4, 4, (0,), media=True))
"""Four of each."""


@dataclass(frozen=True)
class Profile:
    """An instance that a board can have.

    Attributes:
        name: NVIDIA's, such as ``1g.5gb``.
        kind: What it takes.
        memory: MiB of the program's memory.
        cores: Percent of the GPU's compute, rounded down.
    """

    name: str
    kind: Kind
    memory: int
    cores: int

    def share(self, start: int, media: bool) -> Share:
        """The share of an instance at a position.

        Args:
            start: Its first memory slice.
            media: Whether the GPU's model has the dimension :data:`MEDIA`.
        """
        quantities = {SLOTS: self.kind.slices, MEMORY: self.memory, CORES: self.cores}
        if media:
            quantities[MEDIA] = int(self.kind.media)
        places = {f"{SLICE}{start + place}": 1 for place in range(self.kind.places)}
        return Share(quantities=quantities | places, template=self.name)


@dataclass(frozen=True)
class Board:
    """A product whose instances are known.

    Attributes:
        words: All of these are words of its name.
        total: MiB, as ``nvidia-smi`` shows them.
        kinds: Its layout.
        told: Memory slices to the MiB of such an instance, as its driver tells. Where nobody has told us, it is a
            little less than any driver that did leaves to the program: nothing is promised that is not there.
    """

    words: frozenset[str]
    total: int
    kinds: tuple[Kind, ...]
    told: tuple[tuple[int, int], ...] = ()

    @property
    def places(self) -> int:
        """Memory slices."""
        return self.kinds[-1].places

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """From the smallest to the whole GPU."""
        return _profiles(self)

    def memory(self, places: int) -> int:
        """MiB of an instance with so many memory slices."""
        told = dict(self.told)
        if places in told:
            return told[places]
        return self.total * 98 // 100 if places == self.places else self.total * places * 9 // (self.places * 10)

    def capacity(self) -> Quantities:
        """What a GPU has in each dimension."""
        whole = self.profiles[-1]
        media = {MEDIA: 1} if _has_media(self.kinds) else {}
        places = {f"{SLICE}{place}": 1 for place in range(self.places)}
        return {SLOTS: whole.kind.slices, MEMORY: whole.memory, CORES: 100} | media | places


def _board(words: str, total: int, kinds: tuple[Kind, ...], *told: int) -> Board:
    return Board(frozenset(words.upper().split()), total, kinds, tuple(zip((1, 2, 4, 8), told, strict=False)))


BOARDS = (
    _board("A30", 24576, FOUR),
    *(_board(chip, 40960, SEVEN, 4864, 9856, 20096, 40192) for chip in ("A100", "A800")),
    *(_board(chip, 81920, SEVEN, 9728, 19968, 40192, 80896) for chip in ("A100", "A800")),
    *(_board(chip, 81559, SEVEN, 9984, 20096, 40448, 81152) for chip in ("H100", "H800")),
    _board("H100", 95830, SEVEN),
    *(_board(chip, 97871, SEVEN) for chip in ("H20", "GH200")),
    *(_board(chip, 143771, SEVEN, 16384, 33280, 71424, 143360) for chip in ("H20", "H200")),
    _board("B200", 183359, SEVEN),
    _board("RTX PRO 6000", 97887, FOUR),
)

_LIKE = 0.05  # boards of one name differ by more in their memory, and one by less from what a program can have


@cache
def board_of(name: str, memory: int) -> Board | None:
    """The board of this name with about so many MiB; None when its instances are not known."""
    words = set(re.findall(r"[0-9A-Z]+", name.upper()))
    named = [board for board in BOARDS if board.words <= words and abs(board.total - memory) <= _LIKE * board.total]
    return min(named, key=lambda board: abs(board.total - memory), default=None)


def partitioned(name: str, memory: int) -> Quantities:
    """The capacity of a GPU in MIG mode; one whose instances are not known has one slot, which no ask gets."""
    board = board_of(name, memory)
    return board.capacity() if board else {SLOTS: 1, MEMORY: memory, CORES: 100}


def profiles_of(model: DeviceModel) -> tuple[Profile, ...]:
    """The profiles of a GPU in MIG mode, from the smallest to the whole; nothing when they are not known."""
    board = board_of(model.name, model.capacity[MEMORY])
    return board.profiles if board else ()


def has_media(model: DeviceModel) -> bool:
    """True when one of the instances of a GPU can have what the GPU has once."""
    return MEDIA in model.capacity


def position(quantities: Mapping[str, int]) -> tuple[int, int]:
    """First memory slice and number of them of a share; 0 and 0 when it has none."""
    taken = sorted(
        int(name.removeprefix(SLICE)) for name, amount in quantities.items() if name.startswith(SLICE) and amount
    )
    return (taken[0], len(taken)) if taken else (0, 0)


def gigabytes(memory: int, total: int) -> int:
    """The size in a profile's name: the eighths of the GPU that the memory needs, of its size in GiB.

    Args:
        memory: MiB of the instance.
        total: MiB of the GPU.
    """
    eighths = math.ceil(_EIGHTHS * memory / total)
    return (2 * eighths * math.ceil(total / 1024) + _EIGHTHS) // (2 * _EIGHTHS)


def profile_name(slices: int, memory: int, total: int, *, extra: bool = False) -> str:
    """NVIDIA's name of a profile all of whose slices are used as one; ``extra`` says that it is one ``+me``."""
    return f"{slices}g.{gigabytes(memory, total)}gb{'+me' if extra else ''}"


@cache
def _profiles(board: Board) -> tuple[Profile, ...]:
    most = board.kinds[-1].slices
    return tuple(
        Profile(
            name=profile_name(
                kind.slices, board.memory(kind.places), board.total, extra=kind.media and kind.slices < most
            ),
            kind=kind,
            memory=board.memory(kind.places),
            cores=100 * kind.slices // most,
        )
        for kind in board.kinds
    )


def _has_media(kinds: tuple[Kind, ...]) -> bool:
    return any(kind.media for kind in kinds[:-1])


def all_names() -> tuple[str, ...]:
    """The names of all profiles of all boards, smaller ones first, each once."""
    profiles = (profile for board in BOARDS for profile in board.profiles)
    order = sorted(profiles, key=lambda one: (one.kind.slices, int(re.findall(r"\.(\d+)gb", one.name)[0]), one.name))
    return tuple(dict.fromkeys(profile.name for profile in order))
