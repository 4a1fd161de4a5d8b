"""The rules of :mod:`hetero.vendor` as tests: a vendor's test file subclasses :class:`VendorConformance`.

::

    from hetero.testing import VendorConformance

    class TestAcme(VendorConformance):
        vendor = hetero_acme.acme
        package = "hetero_acme"
        models = (hetero_acme.acme.splitting.model("Acme A1", 16384),)

No driver and no device is needed: rules that only a driver can break are checked where there is one, or in
:attr:`~hetero.testing.subject.Subject.surroundings` that stand for one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec

from hetero import plugins
from hetero.errors import InvalidRequest
from hetero.model.ask import Ask
from hetero.model.resources import ContainerRequest, Resources
from hetero.testing.discovery_rules import DiscoveryRules
from hetero.testing.elsewhere import elsewhere
from hetero.testing.enforcement_rules import EnforcementRules
from hetero.testing.fault_rules import FaultRules
from hetero.testing.position_rules import PositionRules
from hetero.testing.splitting_rules import SplittingRules
from hetero.testing.subject import devices_of, entry_point, raises
from hetero.vendor import Discovery, Enforcement, Feature, Simulation, Splitting

A = TypeVar("A")

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_QUALIFIED = re.compile(rf"{_LABEL}(\.{_LABEL})+/[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?")


class VendorConformance(SplittingRules, PositionRules, EnforcementRules, DiscoveryRules, FaultRules):
    """What every vendor must hold. Each test names the rule in its docstring."""

    # --- names ----------------------------------------------------------------------------------------------

    def test_parts_are_of_the_interface(self) -> None:
        """Each part implements its class of :mod:`hetero.vendor`."""
        assert isinstance(self.vendor.discovery, Discovery)
        assert isinstance(self.vendor.splitting, Splitting)
        assert isinstance(self.vendor.enforcement, Enforcement)
        assert isinstance(self.vendor.simulation, Simulation | None)

    def test_title_and_version_are_told(self) -> None:
        """``hetero vendors`` has something to show."""
        assert self.vendor.title
        assert self.vendor.version

    def test_resource_names_are_qualified(self) -> None:
        """``domain/name``, outside of Kubernetes' own. Source: Kubernetes documentation, "Extended resources"."""
        for name in (*self.resource_names(), *self._annotations()):
            assert _QUALIFIED.fullmatch(name), name
            assert not name.split("/")[0].endswith("kubernetes.io"), name

    def test_names_mean_one_thing(self) -> None:
        """No resource or annotation name stands for two things, within a family or across families."""
        for names in (self.resource_names(), self._annotations()):
            assert sorted(names) == sorted(set(names))

    def test_families_belong_to_the_vendor(self) -> None:
        """Resource families carry the vendor's name, and their own names differ."""
        assert {one.vendor for one in self.vendor.resources} == {self.vendor.name}
        assert len({one.family for one in self.vendor.resources}) == len(self.vendor.resources)

    def test_words_can_be_looked_for(self) -> None:
        """A word that the core must not contain is long enough not to be a part of others, and listed once."""
        for word in self.vendor.words:
            assert len(word.strip()) >= 3, word
        assert len({word.lower() for word in self.vendor.words}) == len(self.vendor.words)

    # --- features -------------------------------------------------------------------------------------------

    def test_a_feature_has_a_word_or_a_reason(self) -> None:
        """What a user cannot ask for is listed as missing."""
        for feature, names in self._words_of_features().items():
            assert any(names) or feature in self.vendor.missing, f"{feature} has neither a resource name nor a reason"

    def test_a_missing_feature_has_no_word(self) -> None:
        """What can be asked in numbers is kept. A wish (priority) may be read and not acted on: manifests have it."""
        for feature, names in self._words_of_features().items():
            if feature in self.vendor.missing and feature != Feature.PRIORITY:
                assert not any(names), f"{feature} is missing, but can be asked for as {names}"

    def test_what_is_missing_has_a_reason(self) -> None:
        """A sentence for users, for features that there are."""
        for feature, reason in self.vendor.missing.items():
            assert isinstance(feature, Feature)
            assert reason.strip(), feature

    def test_a_simulation_is_there_or_missing(self) -> None:
        """``hetero sim`` tells which vendors can be simulated."""
        assert (self.vendor.simulation is None) == (Feature.SIMULATION in self.vendor.missing)

    # --- the package ----------------------------------------------------------------------------------------

    def test_import_opens_no_driver(self) -> None:
        """A fresh interpreter imports the package and asks the loader for no library that the vendor calls its own."""
        opened, own = elsewhere(self).answer.opened, tuple(self.driver_libraries())
        assert [library for library in opened if library.startswith(own)] == []

    def test_import_starts_nothing(self) -> None:
        """No process, thread or connection: the package is imported by every command, on machines without the chip."""
        assert elsewhere(self).answer.started == ()

    def test_registering_reads_nothing(self) -> None:
        """The hook that gives vendors reads no file; modules may be imported late."""
        assert elsewhere(self).answer.read == ()

    def test_the_package_registers_the_vendor(self) -> None:
        """The entry point leads to a plugin that the core takes, with this vendor."""
        answer = elsewhere(self).answer
        assert answer.failure == ""
        assert self.vendor.name in answer.registered

    def test_scorers_give_numbers(self) -> None:
        """A scorer is pure: twice the same finite number for the same candidate, which it leaves as it is."""
        for scorer in plugins.load([entry_point(self)]).scorers.values():
            for model in self.all_models():
                [device], left = devices_of(model, 1), dict(model.capacity)
                first, again = (scorer.score("node", device, left) for _ in range(2))
                assert math.isfinite(first), scorer.name
                assert first == again, scorer.name
                assert left == model.capacity, scorer.name

    # --- asking ---------------------------------------------------------------------------------------------

    def test_a_count_alone_takes_whole_devices(self) -> None:
        """A pod that names neither memory nor compute gets what it would get without sharing, and as many."""
        for family in self.vendor.resources:
            count, ask = _fewest(family)
            assert ask.count >= count, family.count
            whole = Ask(vendor=self.vendor.name, family=family.family, cores=100, count=ask.count)
            assert ask == msgspec.structs.replace(whole, mode=ask.mode, sets=ask.sets)

    def test_asks_are_what_is_asked(self) -> None:
        """``ask`` gives one of the things that ``asks`` gives, and refuses what that refuses."""
        for family in self.vendor.resources:
            for limits in _manifests(family):
                request = _request(limits)
                one, every = _answer(family.ask, request), _answer(family.asks, request)
                if isinstance(one, InvalidRequest) or isinstance(every, InvalidRequest):
                    assert str(one) == str(every), limits
                else:
                    assert one is None or one in every, limits
                    assert all((ask.vendor, ask.family) == (family.vendor, family.family) for ask in every), limits
                    assert all(ask.count >= 1 for ask in every), limits

    def test_what_is_not_named_is_not_asked(self) -> None:
        """A container without the vendor's resources, or with a count of 0, asks nothing of it."""
        for family in self.vendor.resources:
            assert family.ask(_request({"cpu": 2, "example.invalid/other": 1})) is None
            assert family.ask(_request({family.count: 0})) is None

    def test_two_ways_to_ask_for_memory_are_refused(self) -> None:
        """MiB and percent together: the sentence names both fields."""
        for family in self.vendor.resources:
            if family.memory and family.memory_percentage:
                limits = {family.count: _fewest(family)[0], family.memory: 1024, family.memory_percentage: 10}
                problems = _problems(family, limits)
                assert any(family.memory in one and family.memory_percentage in one for one in problems)

    def test_malformed_amounts_name_their_field(self) -> None:
        """Negative, fractional and other amounts are refused with the field and the value, all at once."""
        for family in self.vendor.resources:
            for value in (-1, "0.5", "many", 1.5):
                names = [name.name for name in family.names()]
                problems = _problems(family, dict.fromkeys(names, value))
                assert len(problems) == len(names)
                for name, problem in zip(names, problems, strict=True):
                    assert name in problem
                    assert repr(value) in problem

    def test_percentages_end_at_100(self) -> None:
        """More than a whole device is refused, with the field."""
        for family in self.vendor.resources:
            for name in filter(None, (family.memory_percentage, family.cores)):
                [problem] = _problems(family, {family.count: _fewest(family)[0], name: 101})
                assert name in problem

    def test_annotations_narrow_the_choice(self) -> None:
        """Each annotation of a family is read into its asks; what it may not say is refused with its name."""
        for family in self.vendor.resources:
            count, plain = _fewest(family)
            for key in family.annotations():
                narrow = _answer(family.ask, _request({family.count: count}, {key: "true"}))
                if isinstance(narrow, InvalidRequest):
                    assert key in str(narrow)
                else:
                    assert narrow is not None, key
                    assert narrow != plain, key

    def _annotations(self) -> list[str]:
        return [key for family in self.vendor.resources for key in family.annotations()]

    def _words_of_features(self) -> dict[Feature, list[str]]:
        families = self.vendor.resources
        return {
            Feature.MEMORY: [one.memory for one in families],
            Feature.MEMORY_PERCENTAGE: [one.memory_percentage for one in families],
            Feature.CORES: [one.cores for one in families],
            Feature.PRIORITY: [one.priority for one in families],
        }


def _request(limits: dict[str, Any], annotations: dict[str, str] | None = None) -> ContainerRequest:
    return ContainerRequest(path="spec.containers[0]", limits=limits, annotations=annotations or {})


def _problems(family: Resources, limits: dict[str, Any]) -> list[str]:
    error = raises(InvalidRequest, family.ask, _request(limits))
    return [str(problem) for problem in error.problems]


def _answer(read: Callable[[ContainerRequest], A], request: ContainerRequest) -> A | InvalidRequest:
    try:
        return read(request)
    except InvalidRequest as error:
        return error


def _fewest(family: Resources) -> tuple[int, Ask]:
    """How many devices can be asked at the least, and what that comes to: some chips are given in pairs only."""
    for count in (1, 2, 4, 8):
        ask = _answer(family.ask, _request({family.count: count}))
        if isinstance(ask, Ask):
            return count, ask
    raise AssertionError(f"no number of {family.count} alone is an ask")


def _manifests(family: Resources) -> Iterator[dict[str, Any]]:
    """Limits that name none, each, and all of the family's resources, and nonsense."""
    names = [name.name for name in family.names()]
    yield {"cpu": 1}
    yield from ({name: amount} for name in names for amount in (0, 1, 2, 50, 101, -1, "x"))
    yield from ({family.count: count, name: 50} for name in names for count in (0, 1, 2) if name != family.count)
    yield dict.fromkeys(names, 1)
