"""``hetero doctor``: looks at all that a slice needs, and says what to fix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from hetero import driver
from hetero.errors import DriverFailed, PluginError
from hetero.model.device import Device, Health
from hetero.testing.apiserver import ApiServer
from hetero.testing.fake import FakeEnforcement, fake_device, fake_vendor
from hetero.vendor import Driver, Finding, Vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import (
        Answer,
        Hetero,
        Holder,
        Install,
        ShareMaker,
        StuckMaker,
        VendorMaker,
        Write,
    )


def _rows(answer: Answer) -> dict[str, dict[str, Any]]:
    return {row["part"]: row for row in answer.json["findings"]}


@pytest.fixture
def findings(hetero: Hetero) -> Any:
    """The findings by their part, and the exit code."""

    def look() -> tuple[dict[str, dict[str, Any]], int]:
        answer = hetero("doctor", "--output", "json")
        return _rows(answer), answer.code

    return look


def test_json_has_a_version_and_stable_keys(hetero: Hetero) -> None:
    """Programs rely on the keys of a finding and on the three states."""
    answer = hetero("doctor", "--output", "json")
    assert answer.json["version"] == 1
    assert all(set(row) == {"part", "state", "detail", "advice"} for row in answer.json["findings"])
    assert {row["state"] for row in answer.json["findings"]} <= {"ok", "absent", "problem"}


def test_a_machine_in_order_has_nothing_to_do(hetero: Hetero, findings: Any) -> None:
    """Every part is ok, without advice, and the exit code is 0."""
    rows, code = findings()
    assert code == 0
    assert {row["state"] for row in rows.values()} == {"ok"}
    assert {row["advice"] for row in rows.values()} == {""}
    assert {"configuration", "plugins", "slices", "fake driver", "fake device 0", "fake device 1"} <= set(rows)
    assert hetero("doctor").out.splitlines()[1].startswith("ok")


def test_no_vendor_is_a_problem(install: Install, findings: Any) -> None:
    """The core alone can slice nothing."""
    install()
    rows, code = findings()
    assert (code, rows["plugins"]["state"], rows["plugins"]["advice"]) == (
        1,
        "problem",
        "pip install a vendor's package",
    )


def test_a_skipped_plugin_is_a_problem_with_its_advice(install: Install, findings: Any, two_devices: Vendor) -> None:
    """The reason why it was skipped, and what its package says to do; a general word when it says nothing."""
    install(two_devices, failures=[PluginError("acme", "fell over", "reinstall acme"), PluginError("odd", "is odd")])
    rows, code = findings()
    assert code == 1
    assert (rows["plugin acme"]["detail"], rows["plugin acme"]["advice"]) == ("fell over", "reinstall acme")
    assert rows["plugin odd"]["advice"]
    assert rows["fake driver"]["state"] == "ok"


def test_the_packages_of_vendors_are_named(install: Install, hetero: Hetero, two_devices: Vendor) -> None:
    """Where a vendor comes from is the first thing to check."""
    install(two_devices, fake_vendor("zeta", devices=[fake_device(vendor="zeta")]), origins={"fake": "hetero-fake 1.2"})
    details = [row["detail"] for row in hetero("doctor", "--output", "json").json["findings"]]
    assert "vendor fake from hetero-fake 1.2" in details
    assert "vendor zeta from this process" in details


def test_a_driver_that_is_not_installed_is_no_fault(install: Install, findings: Any, two_devices: Vendor) -> None:
    """A package for chips that this machine does not have is fine; what to install is said for those who have them."""
    install(two_devices, fake_vendor("other", devices=None))
    rows, code = findings()
    assert (code, rows["other driver"]["state"]) == (0, "absent")
    assert rows["other driver"]["detail"] == "libfake.so.1 was not found"
    assert rows["other driver"]["advice"] == "to use its devices, install the fake driver"


@pytest.mark.parametrize("error", [RuntimeError("boom"), DriverFailed("init", 9, "driver not loaded")])
def test_a_vendor_that_fails_hides_no_other(
    install: Install, findings: Any, two_devices: Vendor, broken: VendorMaker, error: Exception
) -> None:
    """The failing driver is a problem with advice; the other vendor is checked to the end."""
    install(broken("broken", error), two_devices)
    rows, code = findings()
    assert (code, rows["broken driver"]["state"], rows["broken driver"]["detail"]) == (1, "problem", str(error))
    assert "Broken NPU driver" in rows["broken driver"]["advice"]
    assert rows["fake device 1"]["state"] == "ok"


def test_a_driver_that_shows_nothing_is_a_problem(install: Install, findings: Any) -> None:
    """The driver is there, so somebody expects a device."""
    install(fake_vendor(devices=[]))
    rows, code = findings()
    assert (code, rows["fake driver"]["state"], rows["fake devices"]["state"]) == (1, "ok", "problem")


def test_a_driver_that_answers_but_cannot_list_keeps_both_findings(
    findings: Any, two_devices: Vendor, monkeypatch: pytest.MonkeyPatch, hetero: Hetero
) -> None:
    """Its version was found; that the list fails is another line, not instead."""

    def fail() -> None:
        raise DriverFailed("count", 3, "no permission")

    driver = Driver(version="7.1", library="libfake.so.1", api="3")
    monkeypatch.setattr(two_devices.discovery, "driver", lambda: driver)
    monkeypatch.setattr(two_devices.discovery, "devices", fail)
    found = [row for row in hetero("doctor", "--output", "json").json["findings"] if row["part"] == "fake driver"]
    assert [row["detail"] for row in found] == ["7.1, libfake.so.1, API 3", "count answered 3 (no permission)"]
    assert [row["state"] for row in found] == ["ok", "problem"]


def test_a_sick_device_is_a_problem_of_its_own(install: Install, findings: Any) -> None:
    """One broken card never hides the others."""
    sick = fake_device(0, health=Health(ok=False, reason="fell off the bus"))
    install(fake_vendor(devices=[sick, fake_device(1)]))
    rows, code = findings()
    assert code == 1
    assert rows["fake device 0"]["detail"] == "Fake F1: fell off the bus"
    assert rows["fake device 1"]["state"] == "ok"


def test_a_device_file_without_permission_is_named(
    install: Install, findings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A closed file is named; one that does not exist is the driver's affair, not a matter of permission."""
    closed, absent = tmp_path / "npu0", tmp_path / "npu1"
    closed.write_text("")
    from msgspec.structs import replace as changed

    device: Device = changed(fake_device(), paths=(str(closed), str(absent)))
    install(fake_vendor(devices=[device]))
    assert findings()[0]["fake device 0"]["state"] == "ok"
    monkeypatch.setattr("os.access", lambda *_: False)  # root may read everything
    rows, code = findings()
    assert code == 1
    assert rows["fake device 0"]["detail"] == f"no permission for {closed}"
    assert "group" in rows["fake device 0"]["advice"]


class _Checking(FakeEnforcement):
    """Finds what the test says, or raises it."""

    def __init__(self, *found: Finding | Exception) -> None:
        super().__init__("fake")
        self._found = found

    def check(self) -> list[Finding]:
        for one in self._found:
            if isinstance(one, Exception):
                raise one
        return [one for one in self._found if isinstance(one, Finding)]


def test_what_a_vendor_checks_is_shown_with_its_name(install: Install, findings: Any, two_devices: Vendor) -> None:
    """Good findings and bad ones; a bad one makes the exit code 1."""
    good = Finding(subject="library", ok=True, detail="/lib/x.so")
    bad = Finding(subject="rights", ok=False, detail="none", advice="ask for some")
    install(replace(two_devices, enforcement=_Checking(good)))
    assert findings()[1] == 0
    install(replace(two_devices, enforcement=_Checking(good, bad)))
    rows, code = findings()
    assert code == 1
    assert rows["fake library"] == {"part": "fake library", "state": "ok", "detail": "/lib/x.so", "advice": ""}
    assert (rows["fake rights"]["state"], rows["fake rights"]["advice"]) == ("problem", "ask for some")


def test_a_check_that_fails_hides_nothing_else(install: Install, findings: Any, two_devices: Vendor) -> None:
    """A defect in a vendor's check is a finding about that vendor."""
    other = fake_vendor("zeta", devices=[fake_device(vendor="zeta")])
    install(replace(two_devices, enforcement=_Checking(ValueError("oops"))), other)
    rows, code = findings()
    assert (code, rows["fake enforcement"]["detail"]) == (1, "the check failed: oops")
    assert rows["zeta driver"]["state"] == "ok"


def test_a_directory_that_cannot_keep_slices_is_a_problem(
    findings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``hetero run`` would stumble over first is tried, and the variable to set is named."""
    (tmp_path / "occupied").write_text("a file")
    monkeypatch.setenv("HETERO_RUNTIME_DIR", str(tmp_path / "occupied"))
    rows, code = findings()
    assert (code, rows["slices"]["state"]) == (1, "problem")
    assert "HETERO_RUNTIME_DIR" in rows["slices"]["advice"]
    assert "set HETERO_RUNTIME_DIR" not in rows["slices"]["detail"]


def test_the_configuration_in_use_is_named(
    hetero: Hetero, findings: Any, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the command line, else of the environment, else none."""
    assert findings()[0]["configuration"]["detail"].startswith("no file")
    by_environment, by_option = write({}, name="environment.yaml"), write({}, name="option.yaml")
    monkeypatch.setenv("HETERO_CONFIG", str(by_environment))
    assert findings()[0]["configuration"]["detail"] == str(by_environment)
    answer = hetero("--config", by_option, "doctor", "--output", "json")
    assert _rows(answer)["configuration"]["detail"] == str(by_option)


def test_a_driver_that_hangs_is_a_problem_and_hides_nobody(
    install: Install,
    hetero: Hetero,
    two_devices: Vendor,
    stuck: StuckMaker,
) -> None:
    """The question that did not come back, and what to do; enforcement of that vendor is not asked either."""
    install(stuck("broken"), two_devices)
    answer = hetero("doctor", "--output", "json")
    rows = _rows(answer)
    assert answer.code == 1
    assert rows["broken driver"]["state"] == "problem"
    assert rows["broken driver"]["detail"] == "the driver did not come back from 'devices' within 0.05 s"
    for word in ("it hangs", "Broken NPU driver", "drivers.deadline_s"):
        assert word in rows["broken driver"]["advice"]
    assert rows["broken enforcement"]["advice"] == "see its driver, above"
    assert rows["fake device 1"]["state"] == "ok"


def test_a_device_that_a_slice_holds_is_marked_while_its_driver_fails(
    *, install: Install, findings: Any, two_devices: Vendor, broken: VendorMaker, hold: Holder, share: ShareMaker
) -> None:
    """It was there; the reason is the driver's."""
    hold(two_devices, share(device=1))
    install(replace(two_devices, discovery=broken("fake", DriverFailed("init", 9, "not loaded")).discovery))
    rows, code = findings()
    assert (code, rows["fake device 1"]["state"]) == (1, "problem")
    assert rows["fake device 1"]["detail"] == "Fake F1: init answered 9 (not loaded)"
    assert "driver" in rows["fake device 1"]["advice"]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (DriverFailed("query", driver.ABSENT, "libfake.so.1 does not have it"), ["version", "Broken NPU driver"]),
        (DriverFailed("query", driver.NONSENSE, "it told -1"), ["of one version", "loaded"]),
        (DriverFailed("query", 4, "no permission"), ["loaded", "may use"]),
        (ValueError("a defect"), ["report it", "vendor broken"]),
    ],
)
def test_the_advice_is_about_what_is_wrong(
    install: Install, findings: Any, broken: VendorMaker, error: Exception, words: list[str]
) -> None:
    """A library of another version, one that tells nonsense, one that may not be used, and a package's own defect."""
    install(broken("broken", error))
    row = findings()[0]["broken driver"]
    assert (row["state"], row["detail"]) == ("problem", str(error))
    for word in words:
        assert word in row["advice"]


def test_a_list_that_cannot_be_is_the_drivers_problem(install: Install, findings: Any, two_devices: Vendor) -> None:
    """Negative memory is no device with a number: the whole list is in doubt, and the sentence says which and why."""
    from msgspec.structs import replace as changed

    device = fake_device(vendor="zeta")
    bad = changed(device, model=changed(device.model, capacity={"memory": -1}))
    install(two_devices, fake_vendor("zeta", devices=[bad]))
    answer = [row for row in findings()[0].values() if row["part"].startswith("zeta")]
    assert [row["detail"] for row in answer] == ["it lists 'zeta-0', which cannot be used: its memory is -1"]
    assert findings()[0]["fake device 0"]["state"] == "ok"


def test_device_files_are_looked_for_where_the_machine_is_mounted(
    install: Install, findings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device names its files as they are on the machine, e.g. a simulated one."""
    from msgspec.structs import replace as changed

    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/npu0").write_text("")
    install(fake_vendor(devices=[changed(fake_device(), paths=("/dev/npu0",))]))
    monkeypatch.setattr("os.access", lambda *_: False)  # root may read everything
    assert findings()[0]["fake device 0"]["state"] == "ok"
    monkeypatch.setenv("HETERO_HOST_ROOT_FAKE", str(tmp_path))
    assert findings()[0]["fake device 0"]["detail"] == f"no permission for {tmp_path}/dev/npu0"


@pytest.mark.parametrize(
    ("version", "told"),
    [
        ("containerd://2.2.9", ("ok", "containerd://2.2.9")),
        ("containerd://1.7.1", ("problem", "enable_cdi = true")),
        ("containerd://1.6.20", ("problem", "pods would run without their devices and limits")),
    ],
)
def test_in_the_agents_pod_the_container_runtime_is_looked_at(
    findings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, told: tuple[str, str]
) -> None:
    """The chart names the node there; one that passes CDI over would start pods without limits."""
    with ApiServer() as server:
        status = {"nodeInfo": {"containerRuntimeVersion": version}}
        server.put("/api/v1/nodes", {"metadata": {"name": "desk"}, "status": status})
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        monkeypatch.setenv("HETERO_AGENT_NAME", "")
        monkeypatch.setenv("NODE_NAME", "desk")
        row = findings()[0]["container runtime"]
        assert row["state"] == told[0]
        assert told[1] in row["detail"]
        monkeypatch.setenv("NODE_NAME", "elsewhere")
        row = findings()[0]["container runtime"]
        assert (row["state"], "node elsewhere cannot be asked for" in row["detail"]) == ("problem", True)
        monkeypatch.delenv("HETERO_AGENT_NAME")
        assert "container runtime" not in findings()[0]
