"""``hetero vendors``: what is installed, what it can do, and why it cannot do the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hetero.errors import PluginError
from hetero.model.resources import ResourceName, Resources
from hetero.testing.fake import fake_vendor
from hetero.vendor import Driver, Feature, Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import Hetero, Install, VendorMaker

KEYS = {"name", "title", "version", "package", "driver", "driver_problem", "resources", "features", "missing"}


def test_json_has_a_version_and_stable_keys(hetero: Hetero, two_devices: Vendor) -> None:
    """Programs rely on the keys of a vendor and of what was skipped."""
    answer = hetero("vendors", "--output", "json")
    [row] = answer.json["vendors"]
    assert (answer.code, answer.json["version"], answer.json["skipped"]) == (0, 1, [])
    assert set(row) == KEYS
    assert row["driver"] == {"version": "1.0", "library": "libfake.so.1", "api": ""}
    assert {"name", "meaning"} == set(row["resources"][0])


def test_resources_and_features_are_the_vendors_words(hetero: Hetero, two_devices: Vendor) -> None:
    """These are the words that a manifest may use, so none is left out."""
    [row] = hetero("vendors", "--output", "json").json["vendors"]
    declared = [name.name for family in two_devices.resources for name in family.names()]
    assert [one["name"] for one in row["resources"]] == declared
    table = hetero("vendors").out
    assert all(name in table for name in declared)
    assert set(row["features"]) | set(row["missing"]) == set(Feature)
    assert not set(row["features"]) & set(row["missing"])


def test_a_missing_feature_has_its_reason(hetero: Hetero, install: Install) -> None:
    """What a chip cannot do is said in the vendor's sentence."""
    install(fake_vendor(missing={Feature.CORES: "the chip has one queue"}))
    assert "fake: no cores: the chip has one queue" in hetero("vendors").out.splitlines()
    assert hetero("vendors", "--output", "json").json["vendors"][0]["missing"]["cores"] == "the chip has one queue"


def test_a_missing_driver_has_its_reason(hetero: Hetero, install: Install, two_devices: Vendor) -> None:
    """Whether the package or the driver lacks is the first question."""
    install(fake_vendor("absent", devices=None), two_devices)
    absent, present = hetero("vendors", "--output", "json").json["vendors"]
    assert (absent["driver"], absent["driver_problem"]) == (None, "libfake.so.1 was not found: install the fake driver")
    assert (present["driver"]["version"], present["driver_problem"]) == ("1.0", "")
    assert "absent: no driver: libfake.so.1 was not found: install the fake driver" in hetero("vendors").out


def test_a_vendor_that_fails_hides_no_other(
    hetero: Hetero, install: Install, two_devices: Vendor, broken: VendorMaker
) -> None:
    """An exception in one driver is a line about that vendor."""
    install(broken("broken", RuntimeError("boom")), two_devices)
    answer = hetero("vendors")
    assert answer.code == 0
    assert "broken: no driver: boom" in answer.out
    assert "fake.example/npumem" in answer.out


def test_a_skipped_plugin_is_listed_with_its_reason(hetero: Hetero, install: Install, two_devices: Vendor) -> None:
    """A plugin that could not be loaded is not simply absent."""
    failure = PluginError("acme", "import of acme failed with ImportError: no libacme", "reinstall or remove acme 1.2")
    install(two_devices, failures=[failure])
    assert f"skipped: {failure}" in hetero("vendors").out.splitlines()
    assert hetero("vendors", "--output", "json").json["skipped"] == [{"plugin": "acme", "reason": str(failure)}]


def test_the_package_is_named_with_its_version(hetero: Hetero, install: Install, two_devices: Vendor) -> None:
    """Of two installed versions the user must see which is used."""
    install(replace(two_devices, version="2.5"), origins={"fake": "hetero-fake 2.5.1"})
    row = hetero("vendors").out.splitlines()[1]
    assert row.split()[:5] == ["fake", "2.5", "hetero-fake", "2.5.1", "1.0"]


def test_the_interface_of_a_driver_is_given_where_it_says_one(
    hetero: Hetero, two_devices: Vendor, install: Install
) -> None:
    """The newest interface that the driver serves decides which programs run."""
    driver = Driver(version="9", library="libfake.so.9", api="4.2")
    two_devices.discovery.driver = lambda: driver  # type: ignore[method-assign]
    assert hetero("vendors", "--output", "json").json["vendors"][0]["driver"]["api"] == "4.2"


def test_a_long_list_of_resources_is_cut_in_the_table_alone(hetero: Hetero, install: Install) -> None:
    """A chip with a resource for each size of an instance would push every other vendor off the screen."""

    class Sizes(Resources):
        def names(self) -> tuple[ResourceName, ...]:
            return tuple(ResourceName(name=f"fake.example/size-{number}", meaning="of a size") for number in range(20))

    install(replace(fake_vendor(), resources=(Sizes(vendor="fake", count="fake.example/npu"),)))
    table = hetero("vendors").out
    assert "fake.example/size-7" in table
    assert "fake.example/size-8" not in table
    assert "and 12 more: --output json" in table
    assert len(hetero("vendors", "--output", "json").json["vendors"][0]["resources"]) == 20
