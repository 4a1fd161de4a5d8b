"""The rules of :class:`hetero.vendor.Enforcement` and :class:`hetero.vendor.Simulation` as tests."""

from __future__ import annotations

import os
from pathlib import Path

from hetero.errors import InvalidValue
from hetero.model import wire
from hetero.model.allocation import ContainerEdits
from hetero.testing.subject import Subject, raises
from hetero.vendor import Finding


class EnforcementRules(Subject):
    """What a slice changes on its node."""

    def test_preparing_twice_is_preparing_once(self) -> None:
        """When the kubelet asks again, the result is the same."""
        for held in self.slices():
            first = self.vendor.enforcement.prepare(held)
            assert self.vendor.enforcement.prepare(held) == first
            self.vendor.enforcement.release(held)

    def test_another_process_prepares_the_same(self) -> None:
        """The result hangs on nothing that this process alone knows: no counter, no token, no clock."""
        elsewhere = self.elsewhere()
        assert elsewhere.answer.complaint == ""
        assert elsewhere.here == (elsewhere.answer.whole and elsewhere.answer.whole.edits)

    def test_a_crash_is_made_good(self) -> None:
        """Whatever line a process died at, preparing again leaves the same files and gives the same result."""
        answer = self.elsewhere().answer
        for mended in answer.mended:
            assert mended == answer.whole

    def test_preparing_stays_in_its_directory(self) -> None:
        """Files are written below the slice's directory, which the core removes, and nowhere else."""
        own = os.path.realpath(self.elsewhere().directory)
        assert [path for path in self.elsewhere().answer.written if not Path(path).is_relative_to(own)] == []

    def test_edits_are_text(self) -> None:
        """What a program finds around it can be written into its environment and into a CDI spec."""
        for held in self.slices():
            edits = self.vendor.enforcement.prepare(held)
            for key, value in edits.env.items():
                assert isinstance(value, str), f"{key} is {value!r}"
                assert key
                assert "=" not in key
                assert "\0" not in key + value
            assert wire.decode(wire.encode(edits), ContainerEdits) == edits
            self.vendor.enforcement.release(held)

    def test_paths_are_absolute(self) -> None:
        """A program may run in any directory."""
        for held in self.slices():
            edits = self.vendor.enforcement.prepare(held)
            mounts = [path for mount in edits.mounts for path in (mount.host_path, mount.container_path)]
            for path in (*mounts, *edits.device_nodes, *edits.preload, *edits.library_path):
                assert Path(path).is_absolute(), path
            self.vendor.enforcement.release(held)

    def test_release_may_come_any_time(self) -> None:
        """Releasing what was never prepared, or twice, does nothing, and the slice can be prepared again."""
        for held in self.slices():
            self.vendor.enforcement.release(held)
            first = self.vendor.enforcement.prepare(held)
            self.vendor.enforcement.release(held)
            self.vendor.enforcement.release(held)
            assert self.vendor.enforcement.prepare(held) == first
            self.vendor.enforcement.release(held)

    def test_checks_find_something_to_say(self) -> None:
        """What ``hetero doctor`` shows has a subject, and a problem comes with advice."""
        for finding in self.vendor.enforcement.check():
            assert isinstance(finding, Finding)
            assert finding.subject
            assert finding.ok or finding.advice

    def test_unknown_keys_of_a_card_are_refused(self) -> None:
        """A misspelt key of a machine file is an error that says where it stands."""
        if self.vendor.simulation is not None:
            error = raises(InvalidValue, self.vendor.simulation.card, {"no such key": 1}, "cards[3]")
            assert error.field.startswith("cards[3]")
