"""What ``hetero run`` asks: options and manifests as the same record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from hetero.cli.asked import Asked, Options, by_manifest, by_options
from hetero.errors import InvalidConfiguration, InvalidRequest, InvalidValue, UserError
from hetero.model.ask import Ask, ContainerAsk, PodAsk, Selection
from hetero.testing.fake import fake_device, fake_devices, fake_vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import PodMaker, Write

NPU, MEMORY, PRIORITY = "fake.example/npu", "fake.example/npumem", "fake.example/npu-priority"
VENDORS = {"fake": fake_vendor(), "other": fake_vendor("other")}


def _ask(**options: str) -> Ask:
    [container] = by_options(Options(**options), ["true"], fake_devices(2), "run").pod.containers
    [ask] = container.asks
    return ask


@pytest.mark.parametrize(
    ("options", "ask"),
    [
        ({}, Ask(vendor="fake", cores=100)),
        ({"memory": "2g"}, Ask(vendor="fake", memory=2048)),
        ({"memory": "40%"}, Ask(vendor="fake", memory_percentage=40)),
        ({"memory": "1g", "cores": "30"}, Ask(vendor="fake", memory=1024, cores=30)),
        ({"cores": "30%"}, Ask(vendor="fake", cores=30)),
        ({"cores": "0"}, Ask(vendor="fake", cores=0)),
        ({"device": "1", "memory": "1m"}, Ask(vendor="fake", memory=1, selection=Selection(use_devices=("fake-1",)))),
        ({"vendor": "fake"}, Ask(vendor="fake", cores=100)),
    ],
)
def test_options_become_an_ask(options: dict[str, str], ask: Ask) -> None:
    """The command line asks in the same words as a pod: what is not named is all of it."""
    assert _ask(**options) == ask


def test_the_family_is_that_of_the_device() -> None:
    """A vendor with several kinds of chips serves the ask by the kind that is here."""
    from msgspec.structs import replace

    device = fake_device()
    other = replace(device, uuid="x", model=replace(device.model, family="small"))
    [container] = by_options(Options(device="x"), ["true"], [device, other], "run").pod.containers
    assert container.asks[0].family == "small"
    with pytest.raises(UserError, match=r"--device is needed: .*kinds \(fake, fake small\); see 'hetero devices'"):
        by_options(Options(), ["true"], [device, other], "run")


@pytest.mark.parametrize(
    ("count", "there"), [(3, "there are: 0 to 2"), (1, "the only device is number 0"), (0, "there is none")]
)
def test_a_device_that_is_not_here_is_told_with_those_there_are(count: int, there: str) -> None:
    """A single device of number 0 must not read as none."""
    with pytest.raises(InvalidValue) as caught:
        by_options(Options(device="7"), ["true"], fake_devices(count), "run")
    assert str(caught.value) == f"--device: '7' is not on this machine; {there} (see 'hetero devices')"


def test_a_number_means_the_position_before_any_identity() -> None:
    """``--device 1`` is the second line of ``hetero devices``."""
    assert _ask(device="1").selection.use_devices == ("fake-1",)


def _manifest(write: Write, *documents: Any, container: str = "", words: tuple[str, ...] = ()) -> Asked:
    return by_manifest(write(*documents), container, words, VENDORS, "run-1")


def test_a_manifest_becomes_the_ask_of_one_container(write: Write, pod: PodMaker) -> None:
    """Resources, command, variables and directory of the container that asks for devices."""
    document = pod(
        limits={NPU: 1, MEMORY: 1024},
        command=["python"],
        args=["train.py"],
        env=[{"name": "A", "value": "b"}],
        workingDir="/srv",
    )
    document["metadata"]["annotations"] = {"hetero.io/device-policy": "binpack"}
    document["spec"]["containers"].append({"name": "proxy", "image": "proxy"})
    assert _manifest(write, document) == Asked(
        pod=PodAsk(
            name="run-1",
            containers=(ContainerAsk(name="main", asks=(Ask(vendor="fake", memory=1024),)),),
            device_policy="binpack",
        ),
        words=("python", "train.py"),
        variables={"A": "b"},
        directory="/srv",
    )


def test_a_command_of_the_user_runs_where_the_user_is(write: Write, pod: PodMaker) -> None:
    """The image's directory need not exist here; the container's variables still hold."""
    document = pod(limits={NPU: 1}, workingDir="/srv", env=[{"name": "A", "value": "b"}])
    asked = _manifest(write, document, words=("true",))
    assert (asked.words, asked.directory, asked.variables) == (("true",), None, {"A": "b"})


@pytest.mark.parametrize(("priorities", "highest"), [([], None), ([3], 3), ([3, 0], 0)])
def test_the_highest_priority_of_the_asks_holds(priorities: list[int], highest: int | None) -> None:
    """0 is the highest; a slice has one priority although its asks may each name one."""
    asks = tuple(Ask(vendor="fake", priority=one) for one in (*priorities, None))
    asked = Asked(pod=PodAsk(name="p", containers=(ContainerAsk(name="c", asks=asks),)), words=("true",))
    assert asked.priority == highest


def test_the_first_pod_of_a_workload_stands_for_all(write: Write, pod: PodMaker) -> None:
    """A Deployment of three is tried with one."""
    template = {"spec": pod(limits={NPU: 1, MEMORY: 512}, command=["serve"])["spec"]}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {"replicas": 3, "template": template},
    }
    asked = _manifest(write, document)
    assert asked.pod.containers[0].asks == (Ask(vendor="fake", memory=512),)


def _three(pod: PodMaker) -> dict[str, Any]:
    document = pod(limits={NPU: 1}, command=["one"])
    [first] = document["spec"]["containers"]
    document["spec"]["containers"] += [{**first, "name": "second", "command": ["two"]}, {"name": "proxy", "image": "i"}]
    return document


def test_of_several_containers_one_must_be_chosen(write: Write, pod: PodMaker) -> None:
    """The sentence lists those that there are."""
    with pytest.raises(InvalidValue, match=r"2 containers that ask for devices.*--container: main, second, proxy"):
        _manifest(write, _three(pod))
    assert _manifest(write, _three(pod), container="second").words == ("two",)


def test_an_init_container_may_be_chosen(write: Write, pod: PodMaker) -> None:
    """Init containers have asks of their own."""
    document = pod(limits={NPU: 1}, command=["main"])
    document["spec"]["initContainers"] = [{**document["spec"]["containers"][0], "name": "warm", "command": ["warm"]}]
    assert _manifest(write, document, container="warm").words == ("warm",)


def test_an_unknown_container_is_told_with_those_there_are(write: Write, pod: PodMaker) -> None:
    """A slip in the name is seen at once."""
    with pytest.raises(InvalidValue) as caught:
        _manifest(write, _three(pod), container="secnod")
    assert (caught.value.field, caught.value.value) == ("--container", "secnod")
    assert caught.value.reason == "is no container of pod p; it has main, second, proxy"


def test_a_container_that_asks_no_device_is_not_run_in_a_slice(write: Write, pod: PodMaker) -> None:
    """It would see the whole device, and be charged to nobody."""
    with pytest.raises(InvalidValue, match="asks for no device"):
        _manifest(write, _three(pod), container="proxy", words=("true",))
    with pytest.raises(InvalidValue, match="no container that asks for a device"):
        _manifest(write, pod(command=["true"]))


@pytest.mark.parametrize("text", ["", "# nothing\n", "apiVersion: v1\nkind: Service\nmetadata: {name: s}\n"])
def test_a_manifest_without_a_pod_says_what_to_write(write: Write, text: str) -> None:
    """An empty file, a comment, and an object that starts no pod."""
    with pytest.raises(InvalidValue, match="holds no pod; write a Pod, Deployment, Job or StatefulSet"):
        _manifest(write, text)


def test_a_container_without_a_command_needs_one(write: Write, pod: PodMaker) -> None:
    """What the image would run is not known here."""
    with pytest.raises(InvalidValue, match="has no command of its own; write one after --"):
        _manifest(write, pod(limits={NPU: 1}))


def test_every_problem_of_the_manifest_is_told(write: Write, pod: PodMaker) -> None:
    """The problems come from admission, all at once."""
    with pytest.raises(InvalidRequest) as caught:
        _manifest(write, pod(limits={NPU: -1, MEMORY: "much"}))
    assert [problem.value for problem in caught.value.problems] == [-1, "much"]


def test_a_file_that_is_not_there_is_named(tmp_path: Any) -> None:
    """The sentence is the operating system's."""
    with pytest.raises(InvalidConfiguration, match=r"nowhere\.yaml: cannot be read: No such file"):
        by_manifest(tmp_path / "nowhere.yaml", "", (), VENDORS, "run-1")


def _policy(options: Options) -> str:
    return by_options(options, ["true"], fake_devices(1), "run").policy


def test_an_option_says_the_policy_before_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing said is a cap; the variable is the native runtime's."""
    monkeypatch.delenv("HETERO_POLICY", raising=False)
    assert _policy(Options()) == "cap"
    monkeypatch.setenv("HETERO_POLICY", "conserve")
    assert _policy(Options()) == "conserve"
    assert _policy(Options(policy="cap")) == "cap"
    monkeypatch.setenv("HETERO_POLICY", "greedy")
    with pytest.raises(InvalidValue, match="HETERO_POLICY: 'greedy' is no policy; write cap or conserve"):
        _policy(Options())


@pytest.mark.parametrize(
    ("annotation", "variable", "outside", "policy"),
    [
        ("", "", "", "cap"),
        ("", "", "conserve", "conserve"),
        ("", "conserve", "cap", "conserve"),
        ("cap", "conserve", "conserve", "cap"),
        ("conserve", "", "", "conserve"),
    ],
)
def test_a_manifest_says_the_policy(  # noqa: PLR0917
    monkeypatch: pytest.MonkeyPatch,
    pod: PodMaker,
    write: Write,
    annotation: str,
    variable: str,
    outside: str,
    policy: str,
) -> None:
    """The pod's annotation, then the container's variable, then that of ``hetero run`` itself."""
    monkeypatch.setenv("HETERO_POLICY", outside)
    document = pod(limits={NPU: 1}, command=["true"], env=[{"name": "HETERO_POLICY", "value": variable}])
    if annotation:
        document["metadata"]["annotations"] = {"hetero.io/compute-policy": annotation}
    assert by_manifest(write(document), "", (), VENDORS, "run").policy == policy


def test_a_policy_that_does_not_exist_is_refused_where_it_stands(pod: PodMaker, write: Write) -> None:
    """The annotation by its name."""
    document = pod(limits={NPU: 1}, command=["true"])
    document["metadata"]["annotations"] = {"hetero.io/compute-policy": "greedy"}
    with pytest.raises(InvalidRequest, match=r"annotations\[hetero.io/compute-policy\]: 'greedy' is no policy"):
        by_manifest(write(document), "", (), VENDORS, "run")


@pytest.mark.parametrize(("text", "priority"), [("", None), ("0", 0), ("100", 100)])
def test_a_priority_is_a_number(text: str, priority: int | None) -> None:
    """0 is one, nothing is none."""
    assert _ask(priority=text, memory="1g").priority == priority


@pytest.mark.parametrize("text", ["-1", "101", "high"])
def test_a_priority_out_of_range_is_refused(text: str) -> None:
    """A region knows 0 to 100."""
    with pytest.raises(InvalidValue, match="--priority"):
        _ask(priority=text, memory="1g")
