"""The words of the installed vendors: which resource belongs to whom, and what was meant by one that is misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from hetero.admission.containers import Container, ordinary
from hetero.admission.fields import shown
from hetero.errors import InvalidValue
from hetero.model.resources import Resources
from hetero.vendor import Vendor


class Words:
    """The vocabulary of resources. Made once for a set of vendors; immutable, so any thread may read it.

    Args:
        vendors: The installed vendors by name.

    Attributes:
        families: Each resource family with its vendor.
        owners: Name of a resource to the vendor that has it.
    """

    def __init__(self, vendors: Mapping[str, Vendor]) -> None:
        self.families = tuple((vendor, family) for vendor in vendors.values() for family in vendor.resources)
        self.owners = {name.name: vendor for vendor, family in self.families for name in family.names()}
        self._families = {(family.vendor, family.family): family for _, family in self.families}
        self._kin: dict[str, dict[str, str]] = {}
        for name in self.owners:
            self._kin.setdefault(_domain(name), {})[_tail(name)] = name
        self._places: dict[str, set[int]] = {name: set() for name in self.owners}
        for place, (_, family) in enumerate(self.families):
            for resource in family.names():
                self._places[resource.name].add(place)

    def named(self, resources: Iterable[str]) -> list[tuple[Vendor, Resources]]:
        """The families of which any of the resources is, each once, in the order of :attr:`families`.

        A vendor whose resources a container does not name has no say in it, so its defects cannot stop the pod.
        """
        found: set[int] = set()
        for name in resources:
            if name in self._places:
                found |= self._places[name]
        return [self.families[place] for place in sorted(found)]

    def family(self, vendor: str, family: str) -> Resources:
        """The family that an ask is about."""
        return self._families[vendor, family]

    def stray(self, container: Container) -> Iterator[InvalidValue]:
        """The resources of a container that neither Kubernetes nor an installed vendor counts."""
        for name, value in container.limits.items():
            if not ordinary(name) and name not in self.owners:
                yield InvalidValue(container.field(name), shown(value), self._reason(name))

    def kin(self, names: Iterable[str]) -> Iterator[str]:
        """Those of the names, in order, that are in a vendor's domain and no resource of it."""
        yield from sorted(name for name in names if name not in self.owners and _domain(name) in self._kin)

    def misspelt(self, name: str) -> str:
        """The resource that was probably meant by a name in a vendor's own domain; empty when it seems meant as it is.

        Another plugin may count resources in the same domain, so only a name that is nearly right is doubted.
        """
        kin = self._kin.get(_domain(name))
        if name in self.owners or not kin:
            return ""
        close = get_close_matches(_tail(name), kin, n=1, cutoff=0.8)
        return kin[close[0]] if close else ""

    def _reason(self, name: str) -> str:
        kin = self._kin.get(_domain(name))
        if not kin:
            return f"is asked of a resource that belongs to no installed vendor; {self._installed(name)}"
        close = get_close_matches(_tail(name), kin, n=1, cutoff=0.6)
        advice = f"did you mean {kin[close[0]]}?" if close else f"it has: {', '.join(kin.values())}"
        owner = self.owners[next(iter(kin.values()))]
        return f"is asked of a resource that {owner.title} does not have; {advice}"

    def _installed(self, name: str) -> str:
        installed = sorted({f"{vendor.name} ({_domain(known)})" for known, vendor in self.owners.items()})
        close = get_close_matches(name.lower(), self.owners, n=1, cutoff=0.8)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"installed are: {', '.join(installed) or 'none'}{hint}"


def _domain(name: str) -> str:
    return name.rpartition("/")[0]


def _tail(name: str) -> str:
    return name.rpartition("/")[2].lower()
