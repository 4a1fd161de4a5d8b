"""The words that existing manifests use, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest
from hetero_nvidia import names, nvidia
from hetero_nvidia.names import WORDS
from hetero_nvidia.resources import MOST, PROFILES, RESOURCES

from hetero.errors import InvalidRequest
from hetero.model.ask import Ask, Selection
from hetero.model.resources import ContainerRequest
from hetero.vendor import Feature


def ask(limits: dict[str, Any], annotations: dict[str, str] | None = None) -> Ask | None:
    """What a container with these limits asks."""
    request = ContainerRequest(path="spec.containers[0]", limits=limits, annotations=annotations or {})
    return RESOURCES.ask(request)


def test_the_manifest_of_every_introduction_is_understood() -> None:
    """One GPU, 3000 MiB, 30 percent: the first example that users of shared GPUs ever saw."""
    found = ask({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 3000, "nvidia.com/gpucores": 30})
    assert found == Ask(vendor="nvidia", count=1, memory=3000, cores=30)


def test_a_gpu_alone_is_a_whole_gpu() -> None:
    """``nvidia.com/gpu: 2`` means two GPUs and nobody else on them, as it does without sharing."""
    found = ask({"nvidia.com/gpu": "2"})
    assert found == Ask(vendor="nvidia", count=2, cores=100)


def test_memory_alone_means_one_gpu() -> None:
    """Memory without a count is of one GPU."""
    assert ask({"nvidia.com/gpumem": 512}) == Ask(vendor="nvidia", count=1, memory=512)


def test_percent_and_priority_are_read() -> None:
    """The two resources that few manifests have."""
    found = ask({"nvidia.com/gpu": 1, "nvidia.com/gpumem-percentage": 50, "nvidia.com/priority": 0})
    assert found == Ask(vendor="nvidia", memory_percentage=50, priority=0)


def test_a_container_without_our_words_asks_nothing() -> None:
    """Another vendor's resources, and a priority with nothing to be prior for, are no ask."""
    assert ask({"cpu": "1", "amd.com/gpu": 1}) is None
    assert ask({"nvidia.com/priority": 1}) is None


def test_annotations_choose_devices() -> None:
    """Each annotation that pods use today reaches the part of the selection that it is about."""
    found = ask(
        {"nvidia.com/gpu": 1},
        {
            "nvidia.com/use-gputype": "A100, H100",
            "nvidia.com/nouse-gputype": "1080",
            "nvidia.com/use-gpuuuid": "GPU-1,GPU-2",
            "nvidia.com/nouse-gpuuuid": "GPU-3",
            "nvidia.com/numa-bind": "true",
        },
    )
    assert found is not None
    assert found.selection == Selection(
        use_models=("A100", "H100"),
        avoid_models=("1080",),
        use_devices=("GPU-1", "GPU-2"),
        avoid_devices=("GPU-3",),
        same_numa=True,
    )


@pytest.mark.parametrize("percent", [101, -1, "half"])
@pytest.mark.parametrize("name", ["nvidia.com/gpucores", "nvidia.com/gpumem-percentage"])
def test_no_percentage_is_refused_by_the_name_that_the_user_wrote(name: str, percent: object) -> None:
    """The field in the message is the resource of the manifest."""
    with pytest.raises(InvalidRequest) as caught:
        ask({"nvidia.com/gpu": 1, name: percent})
    assert [problem.field for problem in caught.value.problems] == [f"spec.containers[0].resources.limits[{name}]"]


def test_names_are_the_ones_that_clusters_have() -> None:
    """Renaming a resource would break every manifest in existence, so the list is written down twice."""
    assert [name.name for name in RESOURCES.names() if name.name not in PROFILES] == [
        "nvidia.com/gpu",
        "nvidia.com/gpumem",
        "nvidia.com/gpumem-percentage",
        "nvidia.com/gpucores",
        "nvidia.com/priority",
    ]


def test_every_feature_works() -> None:
    """A feature that does not work has a reason for users; one without a reason works."""
    assert nvidia.features == tuple(Feature)


def test_our_words_are_lower_case() -> None:
    """The core is searched for them without regard to case, in lower case."""
    assert all(word == word.lower() for word in WORDS)
    assert {"nvidia", "cuda", "nvml"} <= set(WORDS)


def with_mode(mode: str) -> ContainerRequest:
    """One GPU for a pod that chooses a way of splitting."""
    return ContainerRequest(
        path="spec.containers[0]", limits={"nvidia.com/gpu": 1}, annotations={"nvidia.com/vgpu-mode": mode}
    )


@pytest.mark.parametrize("mode", ["mps", "MIG", ""])
def test_a_way_of_splitting_that_we_lack_is_refused(mode: str) -> None:
    """A pod that asks for one must not get another instead."""
    with pytest.raises(InvalidRequest, match=r"metadata\.annotations\[nvidia\.com/vgpu-mode\]: '" + mode):
        RESOURCES.ask(with_mode(mode))


@pytest.mark.parametrize("mode", ["mig", "hami-core"])
def test_a_way_of_splitting_that_there_is_reaches_the_ask(mode: str) -> None:
    """The planner then leaves GPUs of the other mode alone."""
    assert RESOURCES.asks(with_mode(mode)) == (Ask(vendor="nvidia", cores=100, mode=mode),)


def asks(limits: dict[str, Any], annotations: dict[str, str] | None = None) -> tuple[Ask, ...]:
    """All that a container with these limits asks."""
    return RESOURCES.asks(ContainerRequest(path="c", limits=limits, annotations=annotations or {}))


def test_an_instance_is_asked_by_its_profile() -> None:
    """One ask for each, so that several may lie on one GPU; a dot stands where the profile has a plus."""
    one = Ask(vendor="nvidia", template="1g.5gb", mode="mig")
    assert asks({"nvidia.com/mig-1g.5gb": 2}) == (one, one)
    assert asks({"nvidia.com/mig-1g.10gb.me": "1"}) == (Ask(vendor="nvidia", template="1g.10gb+me", mode="mig"),)


def test_the_profiles_that_clusters_use_today_have_a_resource() -> None:
    """Those of A100, H100 and H200, as NVIDIA's device plugin names them."""
    for size in ("1g.5gb", "2g.10gb", "3g.20gb", "7g.40gb", "1g.10gb", "3g.40gb", "7g.80gb", "1g.18gb", "7g.141gb"):
        assert PROFILES[f"nvidia.com/mig-{size}"] == size


def test_gpus_and_instances_may_be_asked_side_by_side() -> None:
    """A share by software and an instance: what is said of GPUs is not said of the instance."""
    gpu, instance = asks({"nvidia.com/gpu": 1, "nvidia.com/gpumem": 1024, "nvidia.com/mig-2g.10gb": 1})
    assert gpu == Ask(vendor="nvidia", memory=1024)
    assert instance == Ask(vendor="nvidia", template="2g.10gb", mode="mig")


def test_no_instance_is_asked_by_zero() -> None:
    """Manifests made by programs have zeros in them."""
    assert asks({"nvidia.com/mig-1g.5gb": 0}) == ()
    assert asks({"nvidia.com/gpu": 0, "nvidia.com/mig-1g.5gb": 1}) == (
        Ask(vendor="nvidia", template="1g.5gb", mode="mig"),
    )


def test_priority_and_choice_of_devices_hold_for_instances() -> None:
    """They are about the container and the pod."""
    [found] = asks(
        {"nvidia.com/mig-1g.5gb": 1, "nvidia.com/priority": 1}, {"nvidia.com/use-gputype": "A100", names.MODE: "mig"}
    )
    assert found.priority == 1
    assert found.selection.use_models == ("A100",)


@pytest.mark.parametrize("amount", ["nvidia.com/gpumem", "nvidia.com/gpumem-percentage", "nvidia.com/gpucores"])
def test_an_amount_beside_nothing_but_instances_is_refused(amount: str) -> None:
    """An instance has what its profile has: who writes more believes that he gets it."""
    with pytest.raises(InvalidRequest, match="not of a MIG instance") as caught:
        asks({"nvidia.com/mig-1g.5gb": 1, amount: 50})
    assert [problem.field for problem in caught.value.problems] == [f"c.resources.limits[{amount}]"]


def test_a_million_instances_are_a_mistake() -> None:
    """Each is an ask, so the number is held to what a program could use."""
    assert len(asks({"nvidia.com/mig-1g.5gb": MOST})) == MOST
    with pytest.raises(InvalidRequest, match=f"are too many; a container has {MOST}"):
        asks({"nvidia.com/mig-1g.5gb": MOST + 1})


@pytest.mark.parametrize("amount", [-1, "0.5", "many"])
def test_malformed_numbers_of_instances_are_refused(amount: object) -> None:
    """By the name that the user wrote."""
    with pytest.raises(InvalidRequest, match=r"nvidia\.com/mig-1g\.5gb"):
        asks({"nvidia.com/mig-1g.5gb": amount})
