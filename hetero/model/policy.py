"""What is preferred among places that fit, in the words that people write.

The words and their meaning are those of existing pods.
Source: Project-HAMi/HAMi v2.10, pkg/scheduler/policy and pkg/util (``GPUSchedulerPolicy...``, device scoring weights).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from hetero.errors import InvalidValue
from hetero.model.ask import Weights

_MOST = 1_000_000  # of a weight: beyond it the others say nothing that could be told from rounding
_WEIGHTS = {"slot": "slots", "core": "cores", "memory": "memory"}


class Policy(enum.StrEnum):
    """What is preferred among places that fit."""

    BINPACK = "binpack"  # the fullest: keeps others free for what needs them whole
    SPREAD = "spread"  # the emptiest: programs disturb each other least

    @classmethod
    def _missing_(cls, value: object) -> Policy:
        raise InvalidValue("policy", value, f"is no policy; write {' or '.join(cls)}")


class Word(enum.StrEnum):
    """What may stand in a chain of policies over the devices of a node."""

    BINPACK = "binpack"
    SPREAD = "spread"
    NUMA = "numa"  # devices of one NUMA node rather than of several
    TOPOLOGY = "topology-aware"  # the set that the vendor says is linked best
    MUTEX = "mutex"  # only devices that nobody uses


_BASES = frozenset(map(str, Policy))
_CHAIN = frozenset(map(str, Word))


class DevicePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A chain of policies over the devices of a node, as one decision.

    Attributes:
        base: By fullness. Of several in a chain the first holds, for where it has no preference the others have none.
        numa: Devices of one NUMA node are preferred; where no NUMA node has enough, others are taken all the same.
        numa_first: That goes before :attr:`base`; otherwise it decides between devices that :attr:`base` likes alike.
        topology: The vendor's combinations choose among all devices that fit; a single device is the one that leaves
            the best sets whole.
        idle_only: Only devices of which nothing is taken.
    """

    base: Policy = Policy.SPREAD
    numa: bool = False
    numa_first: bool = False
    topology: bool = False
    idle_only: bool = False

    @classmethod
    def parse(cls, text: str, field: str = "device policy") -> DevicePolicy:
        """Read a chain such as ``mutex`` or ``numa, binpack``: words separated by commas, the weightiest first.

        Args:
            text: What was written.
            field: Where it stands, for the error.

        Raises:
            InvalidValue: One of the words is none of :class:`Word`.
        """
        chain = list(_words(text, field))
        bases = [word for word in chain if word in _BASES]
        return cls(
            base=Policy(bases[0]) if bases else Policy.SPREAD,
            numa=Word.NUMA in chain,
            numa_first=Word.NUMA in chain and chain.index(Word.NUMA) <= chain.index(bases[0] if bases else Word.NUMA),
            topology=Word.TOPOLOGY in chain,
            idle_only=Word.MUTEX in chain,
        )

    def __str__(self) -> str:
        """The shortest chain that means this one."""
        keys = [str(self.base), *([Word.NUMA] if self.numa else [])]
        filters = [(self.idle_only, Word.MUTEX), (self.topology, Word.TOPOLOGY)]
        words = [word for holds, word in filters if holds]
        return ",".join([*words, *(reversed(keys) if self.numa_first else keys)])


def parse_weights(text: str, field: str) -> Weights:
    """Read how much each dimension counts, such as ``slot=1,core=1,memory=3``.

    Args:
        text: What was written: each of the three once, in any order.
        field: Where it stands, for the error.

    Raises:
        InvalidValue: A weight is missing, given twice, unknown or no whole number from 0 to 1000000, or all are 0.
    """
    found: dict[str, int] = {}
    for entry in text.split(","):
        name, _, amount = (part.strip() for part in entry.partition("="))
        if name in found:
            raise InvalidValue(field, text, f"has {name} twice; write each of {_listed(_WEIGHTS)} once")
        if name not in _WEIGHTS or not (amount.isascii() and amount.isdigit()) or len(amount) > len(str(_MOST)):
            raise InvalidValue(field, text, _advice(f"cannot be read at {entry.strip()[:80]!r}"))
        found[name] = int(amount)
    if set(found) != set(_WEIGHTS) or max(found.values()) > _MOST or not any(found.values()):
        raise InvalidValue(field, text, _advice("lacks a weight, or has none that counts"))
    return Weights(**{_WEIGHTS[name]: float(weight) for name, weight in found.items()})


def _words(text: str, field: str) -> Iterator[str]:
    for word in map(str.strip, text.split(",")):
        if word not in _CHAIN:
            reason = f"is no policy; write one or several, separated by commas, of {_listed(Word)}"
            raise InvalidValue(field, text, reason if word == text else f"names {word[:80]!r}, which {reason}")
        yield word


def _advice(what: str) -> str:
    return f"{what}; write three whole numbers from 0 to {_MOST}, not all 0, as in slot=1,core=1,memory=1"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
