"""The rules of :class:`hetero.vendor.Enforcement` and :class:`hetero.vendor.Simulation` as tests."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hetero.driver import host
from hetero.errors import InvalidValue
from hetero.model import wire
from hetero.model.allocation import ContainerEdits, DeviceNode, Grant, Slice
from hetero.testing.elsewhere import elsewhere
from hetero.testing.subject import Subject, fits, left_after, raises
from hetero.vendor import Finding


class EnforcementRules(Subject):
    """What a slice changes on its node."""

    def test_preparing_twice_is_preparing_once(self) -> None:
        """When the kubelet asks again, the result is the same, and the chips have no second instance."""
        with self.surrounded():
            for held in self.slices():
                first, made = self._prepare(held), self.hardware()
                assert self._prepare(held) == first
                assert self.hardware() == made
                self._release(held)

    def test_another_process_prepares_the_same(self) -> None:
        """The result hangs on nothing that this process alone knows: no counter, no token, no clock."""
        seen = elsewhere(self)
        assert seen.answer.complaint == ""
        assert seen.here == (seen.answer.whole and seen.answer.whole.edits)

    def test_a_crash_is_made_good(self) -> None:
        """Whatever line a process died at, preparing again leaves the same files and instances, and the same result."""
        answer = elsewhere(self).answer
        for mended in answer.mended:
            assert mended == answer.whole

    def test_a_crash_leaves_nothing_on_the_chip(self) -> None:
        """Whatever line a process died at, releasing the slice, which another one does, takes what had been made."""
        answer = elsewhere(self).answer
        for left in answer.left:
            assert left == answer.before

    def test_releasing_takes_what_was_made(self) -> None:
        """Afterwards the chips have what they had before: no less, and no more."""
        with self.surrounded():
            for held in self.slices("made"):  # of a name that no other rule used: what that left would be found
                before = self.hardware()
                self._prepare(held)
                self._release(held)
                assert self.hardware() == before

    def test_slices_do_not_touch_each_other(self) -> None:
        """What one slice has on a device is still there after another one beside it has come and gone."""
        with self.surrounded():
            for one, two in self._neighbours():
                mine, before = self._prepare(one), self.hardware()
                self._prepare(two)
                self._release(two)
                assert self.hardware() == before
                assert self._prepare(one) == mine
                self._release(one)

    def test_preparing_stays_in_its_directory(self) -> None:
        """Files are written below the slice's directory, which the core removes, or in one of the vendor's places."""
        seen, vendor = elsewhere(self), self.vendor.name
        with self.surrounded():
            places = [host(vendor, place.format(vendor=vendor)) for place in self.places]
            above = [os.path.realpath(parent) for place in places for parent in place.parents]  # made on demand
            kernel = [host(vendor, path) for path in ("/dev", "/proc")]  # a driver is spoken to through them
        own = [os.path.realpath(path) for path in (seen.directory, *places, *kernel)]
        assert [path for path in seen.answer.written if not _below(path, own) and path not in above] == []

    def test_edits_are_text(self) -> None:
        """What a program finds around it can be written into its environment and into a CDI spec."""
        for edits in self._edits():
            for key, value in edits.env.items():
                assert isinstance(value, str), f"{key} is {value!r}"
                assert key
                assert "=" not in key
                assert "\0" not in key + value
            assert wire.decode(wire.encode(edits), ContainerEdits) == edits

    def test_paths_are_absolute(self) -> None:
        """A program may run in any directory."""
        for edits in self._edits():
            mounts = [path for one in edits.mounts for path in (one.host_path, one.container_path)]
            nodes = [path for node in edits.device_nodes for path in _names(node)]
            for path in (*mounts, *nodes, *edits.preload, *edits.library_path):
                assert Path(path).is_absolute(), path

    def test_release_may_come_any_time(self) -> None:
        """Releasing what was never prepared, or twice, does nothing, and the slice can be prepared again."""
        with self.surrounded():
            for held in self.slices():
                self._release(held)
                first = self._prepare(held)
                self._release(held)
                self._release(held)
                assert self._prepare(held) == first
                self._release(held)

    def test_checks_find_something_to_say(self) -> None:
        """What ``hetero doctor`` shows has a subject, and a problem comes with advice."""
        with self.surrounded():
            findings = list(self.vendor.enforcement.check())
        for finding in findings:
            assert isinstance(finding, Finding)
            assert finding.subject
            assert finding.ok or finding.advice

    def test_unknown_keys_of_a_card_are_refused(self) -> None:
        """A misspelt key of a machine file is an error that says where it stands."""
        if self.vendor.simulation is not None:
            error = raises(InvalidValue, self.vendor.simulation.card, {"no such key": 1}, "cards[3]")
            assert error.field.startswith("cards[3]")

    def _prepare(self, held: Slice) -> ContainerEdits:
        return self.vendor.enforcement.prepare(held)

    def _release(self, held: Slice) -> None:
        self.vendor.enforcement.release(held)

    def _edits(self) -> Iterator[ContainerEdits]:
        """What each slice needs, looked at when the slice is gone again."""
        found = []
        with self.surrounded():
            for held in self.slices():
                found.append(self._prepare(held))
                self._release(held)
        yield from found

    def _neighbours(self) -> Iterator[tuple[Slice, Slice]]:
        """Two slices of one device, where it can give two shares such as a slice has."""
        for [grant, *more] in self.holdings():
            beside = next(self._beside(grant), None)
            if beside is not None and not more:
                with tempfile.TemporaryDirectory() as here, tempfile.TemporaryDirectory() as there:
                    yield (
                        self.slice_of("conformance-one", (grant,), here),
                        self.slice_of("conformance-two", (beside,), there),
                    )

    def _beside(self, grant: Grant) -> Iterator[Grant]:
        """Grants of the same device for which there is room beside this one."""
        left = left_after(grant.share, grant.device.model.capacity)
        for ask, share in self.shares(grant.device.model):
            for other in (share, *self.vendor.splitting.alternatives(grant.device.model, ask)):
                if fits(other, left):
                    yield Grant(device=grant.device, share=other)


def _below(path: str, places: list[str]) -> bool:
    return any(Path(path).is_relative_to(place) for place in places)


def _names(node: str | DeviceNode) -> tuple[str, ...]:
    return (node,) if isinstance(node, str) else (node.host_path, node.container_path)
