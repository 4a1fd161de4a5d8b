"""``hetero plan`` with the installed vendors: the manifest that everybody starts from, and what can be wrong in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hetero.cli import group

EXAMPLES = Path(__file__).parents[2] / "examples"
CLUSTER = EXAMPLES / "clusters/nvidia.yaml"
MANIFEST = EXAMPLES / "manifests/gpu-pod.yaml"
LIMITS = "gpu-pod.yaml: spec.containers[0].resources.limits"
DESK = "nodes: [{name: desk, devices: [{vendor: nvidia, model: NVIDIA GeForce RTX 3060, memory: 12288}]}]\n"

Plan = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults, whatever this machine has."""
    monkeypatch.delenv("HETERO_CONFIG", raising=False)


@pytest.fixture
def plan(capsys: pytest.CaptureFixture[str]) -> Plan:
    """Exit code, standard output and standard error of ``hetero plan``."""

    def run(manifest: Path, cluster: Path = CLUSTER, *options: str) -> tuple[int, str, str]:
        code = group.run(["plan", "-f", str(manifest), "--cluster", str(cluster), *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def variant(tmp_path: Path) -> Callable[..., Path]:
    """The manifest with parts of its text replaced."""

    def write(**changes: str) -> Path:
        text = MANIFEST.read_text()
        for resource, replacement in changes.items():
            [line] = [one for one in text.splitlines() if one.strip().startswith(f"nvidia.com/{resource}:")]
            text = text.replace(line, " " * 10 + replacement)
        path = tmp_path / "gpu-pod.yaml"
        path.write_text(text)
        return path

    return write


def test_the_manifest_is_placed_and_charged(plan: Plan) -> None:
    """Where its container goes, how much it gets, and what that leaves."""
    code, out, err = plan(MANIFEST)
    assert (code, err) == (0, "")
    row = next(line.split() for line in out.splitlines() if line.startswith("gpu-pod"))
    assert row == ["gpu-pod", "ubuntu-container", "desk", "desk-nvidia-0", "1024", "MiB", "30", "%"]
    assert "11264 of 12288 MiB" in out
    assert "70 of 100 %" in out
    assert "9 of 10" in out


def test_the_same_is_had_as_json(plan: Plan) -> None:
    """For programs: shares in MiB and percent, and what is left in every dimension."""
    code, out, _ = plan(MANIFEST, CLUSTER, "--output", "json")
    answer = json.loads(out)
    assert (code, answer["version"], answer["unplaced"]) == (0, 1, [])
    [placement] = answer["placements"]
    assert placement["devices"] == [
        {"vendor": "nvidia", "device": "desk-nvidia-0", "memory_mib": 1024, "cores_percent": 30, "template": ""}
    ]
    left = {device["device"]: device["left"] for device in answer["devices"]}
    assert left["desk-nvidia-0"] == {"slots": 9, "memory": 11264, "cores": 70}
    assert left["rack-nvidia-3"] == {"slots": 10, "memory": 23034, "cores": 100}


def test_thirteen_gib_of_a_card_of_twelve_are_refused_with_both_figures(
    plan: Plan, variant: Callable[..., Path], tmp_path: Path
) -> None:
    """The pod is written correctly and finds no place: exit code 3, and the reason for the node."""
    cluster = tmp_path / "desk.yaml"
    cluster.write_text(DESK)
    code, out, err = plan(variant(gpumem="nvidia.com/gpumem: 13312"), cluster)
    assert (code, err) == (3, "")
    [reason] = [line for line in out.splitlines() if "nodes (desk)" in line]
    assert reason.startswith("  1/1 nodes (desk): ")
    assert "NVIDIA GeForce RTX 3060 has 12288 MiB of memory, asked 13312 MiB" in reason
    assert reason.endswith("[CardInsufficientMemory]")
    assert "default/gpu-pod finds no place:" in out


def test_thirteen_gib_go_where_there_are_larger_cards(plan: Plan, variant: Callable[..., Path]) -> None:
    """The planner passes over the node that is too small."""
    code, out, _ = plan(variant(gpumem="nvidia.com/gpumem: 13312"))
    assert code == 0
    assert next(line.split() for line in out.splitlines() if line.startswith("gpu-pod"))[2] == "rack"


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        (
            {"gpu": "acme.com/npu: 1"},
            [f"{LIMITS}[acme.com/npu]: 1 is asked of a resource that belongs to no installed vendor; "],
        ),
        (
            {"gpumem": "nvidia.com/gpumen: 1024"},
            [f"{LIMITS}[nvidia.com/gpumen]: 1024 is asked of a resource that ", "did you mean nvidia.com/gpumem?"],
        ),
        (
            {"gpucores": "nvidia.com/gpumem-percentage: 50"},
            [f"{LIMITS}[nvidia.com/gpumem-percentage]: 50 cannot be combined with nvidia.com/gpumem; keep one"],
        ),
        ({"gpu": "nvidia.com/gpu: -1"}, [f"{LIMITS}[nvidia.com/gpu]: -1 is negative; write a whole number"]),
        ({"gpumem": "nvidia.com/gpumem: -1024"}, [f"{LIMITS}[nvidia.com/gpumem]: -1024 is negative"]),
        ({"gpu": "nvidia.com/gpu: 0.5"}, [f"{LIMITS}[nvidia.com/gpu]: 0.5 is a fraction; write a whole number"]),
        ({"gpumem": 'nvidia.com/gpumem: "1.5"'}, [f"{LIMITS}[nvidia.com/gpumem]: '1.5' is a fraction"]),
        ({"gpumem": "nvidia.com/gpumem: 500m"}, [f"{LIMITS}[nvidia.com/gpumem]: '500m' is a fraction"]),
        ({"gpucores": "nvidia.com/gpucores: 101"}, [f"{LIMITS}[nvidia.com/gpucores]: 101 is out of range"]),
        ({"gpumem": "nvidia.com/gpumem: much"}, [f"{LIMITS}[nvidia.com/gpumem]: 'much' is not a quantity"]),
        ({"gpu": "nvidia.com/gpu: 0"}, [f"{LIMITS}[nvidia.com/gpu]: 0 asks for no device; write 1 or more"]),
        ({"gpu": "nvidia.com/gpu: true"}, [f"{LIMITS}[nvidia.com/gpu]: True is not a quantity"]),
    ],
)
def test_what_is_written_wrongly_is_one_sentence_with_field_and_reason(
    plan: Plan, variant: Callable[..., Path], changes: dict[str, str], lines: list[str]
) -> None:
    """The file, the field, the value as written, and what to do: exit code 2, and nothing is placed."""
    code, out, err = plan(variant(**changes))
    assert (code, out) == (2, "")
    [told] = err.splitlines()
    assert told.startswith("hetero: ")
    assert all(line in told for line in lines), told


def test_all_that_is_wrong_is_told_at_once(plan: Plan, variant: Callable[..., Path]) -> None:
    """Three faults, three lines, in the order of the file."""
    changes = {
        "gpu": "nvidia.com/gpu: -1",
        "gpumem": "nvidia.com/gpumem: 0.5",
        "gpucores": "acme.com/npu: 1",
    }
    code, _, err = plan(variant(**changes))
    assert code == 2
    named = [line.split("limits[")[1].split("]")[0] for line in err.splitlines()]
    assert named == ["nvidia.com/gpu", "nvidia.com/gpumem", "acme.com/npu"]


def test_the_whole_example_is_placed(plan: Plan) -> None:
    """Three replicas that share and a job that takes two whole cards, each charged what it asks."""
    code, out, err = plan(EXAMPLES / "manifests/inference-deployment.yaml", CLUSTER, "--output", "json")
    answer = json.loads(out)
    assert (code, err) == (0, "")
    shares = {one["pod"]: [device["cores_percent"] for device in one["devices"]] for one in answer["placements"]}
    assert shares == {"inference-0": [40], "inference-1": [40], "inference-2": [40], "training-0": [100, 100]}
    assert all(amount >= 0 for device in answer["devices"] for amount in device["left"].values())
