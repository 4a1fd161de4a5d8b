"""The annotations that pods may have for hetero and the installed vendors, and what was meant by one that is misspelt.

An annotation that nobody reads changes nothing, and nothing says so: a pod is placed as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import islice

from hetero.admission import policies
from hetero.model.annotations import PLACEMENT, RETRY
from hetero.vendor import Vendor

OWN = "hetero.io"
"""The domain in which every key is ours, so that any other one is an error."""

NEAR = 0.8
"""How like a key must be to one that there is: another program may have keys in a vendor's domain."""

NEAR_OWN = 0.5
"""The same in our own domain, where there is nobody else."""

DOUBTED = 16
"""Keys that are compared with those that there are; a pod that has more of them is past helping."""

LONGEST = 63
"""Characters of a key's name that can be right; of more nothing is compared, for it may be megabytes.

Source: Kubernetes, ``IsQualifiedName``, which is asked after the webhooks."""


class Keys:
    """The vocabulary of annotations. Made once for a set of vendors; immutable, so any thread may read it.

    Args:
        vendors: The installed vendors by name.
        labels: Keys of ours that are labels.
    """

    def __init__(self, vendors: Mapping[str, Vendor], labels: Iterable[str] = ()) -> None:
        owners = dict.fromkeys(policies.ANNOTATIONS, "hetero")
        for vendor in vendors.values():
            for family in vendor.resources:
                owners |= dict.fromkeys((*family.annotations(), *family.further_annotations), vendor.title)
        self._owners = owners
        self._known = {*owners, PLACEMENT, RETRY}
        self._labels = frozenset(labels)
        self._kin: dict[str, dict[str, str]] = {OWN: {}}
        for key in owners:
            self._kin.setdefault(_domain(key), {})[_tail(key)] = key

    def doubts(self, keys: Iterable[str]) -> Iterator[str]:
        """A sentence for each of a pod's annotations that seems to be misspelt, in their order."""
        strange = sorted(key for key in keys if key not in self._known and _domain(key) in self._kin)
        for key in islice(strange, DOUBTED):
            doubt = self._doubt(key)
            if doubt:
                yield f"annotation {key[:100]} {doubt}"

    def _doubt(self, key: str) -> str:
        if key in self._labels:
            return "means nothing: it is a label; move it to metadata.labels"
        domain, tail = _domain(key), _tail(key)
        kin = self._kin[domain]
        near = NEAR_OWN if domain == OWN else NEAR
        close = get_close_matches(tail, kin, n=1, cutoff=near) if len(tail) <= LONGEST else ()
        if close:
            meant = kin[close[0]]
            return f"is none of {self._owners[meant]}; did you mean {meant}?"
        return f"means nothing to hetero; there are: {', '.join(kin.values())}" if domain == OWN else ""


def _domain(key: str) -> str:
    return key.partition("/")[0]


def _tail(key: str) -> str:
    return key.partition("/")[2].lower()
