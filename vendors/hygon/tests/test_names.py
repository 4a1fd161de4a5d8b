"""The words that existing manifests use, and what they come to."""

from __future__ import annotations

from typing import Any

import pytest
from hetero_hygon import hygon
from hetero_hygon.names import RESOURCES

from hetero.errors import InvalidRequest
from hetero.model.ask import Ask, Selection
from hetero.model.resources import ContainerRequest
from hetero.vendor import Feature


def ask(limits: dict[str, Any], annotations: dict[str, str] | None = None) -> Ask | None:
    """What a container with these limits asks."""
    request = ContainerRequest(path="spec.containers[0]", limits=limits, annotations=annotations or {})
    return RESOURCES.ask(request)


def test_the_usual_manifest_is_understood() -> None:
    """One DCU, 2000 MiB, 60 percent."""
    found = ask({"hygon.com/dcunum": 1, "hygon.com/dcumem": 2000, "hygon.com/dcucores": 60})
    assert found == Ask(vendor="hygon", memory=2000, cores=60)


@pytest.mark.parametrize("count", range(1, 9))
def test_a_count_alone_is_whole_cards(count: int) -> None:
    """As it is without sharing."""
    assert ask({"hygon.com/dcunum": str(count)}) == Ask(vendor="hygon", count=count, cores=100)


def test_amounts_alone_mean_one_card() -> None:
    """Neither needs a count."""
    assert ask({"hygon.com/dcumem": 512}) == Ask(vendor="hygon", memory=512)
    assert ask({"hygon.com/dcucores": 5}) == Ask(vendor="hygon", cores=5)


def test_parts_of_several_cards_are_refused_where_the_pod_is_made() -> None:
    """Today's plugin gives two whole cards without a limit to who asks for parts of two; here that is refused."""
    with pytest.raises(InvalidRequest) as caught:
        ask({"hygon.com/dcunum": 2, "hygon.com/dcumem": 2000, "hygon.com/dcucores": 60})
    [problem] = caught.value.problems
    assert problem.field == "spec.containers[0].resources.limits[hygon.com/dcunum]"
    assert "one vDCU at most" in str(problem)


@pytest.mark.parametrize("cores", [0, 100])
def test_all_of_the_compute_of_several_cards_may_be_asked(cores: int) -> None:
    """Whether the memory is all of it as well is for the card to say."""
    found = ask({"hygon.com/dcunum": 2, "hygon.com/dcumem": 65520, "hygon.com/dcucores": cores})
    assert found == Ask(vendor="hygon", count=2, memory=65520, cores=cores)


def test_annotations_choose_devices() -> None:
    """Each annotation that pods use today reaches the part of the selection that it is about."""
    found = ask(
        {"hygon.com/dcunum": 1},
        {
            "hygon.com/use-dcutype": "K100_AI, Z100L",
            "hygon.com/nouse-dcutype": "BW",
            "hygon.com/use-gpuuuid": "DCU-TNK7A21,DCU-2",
            "hygon.com/nouse-gpuuuid": "DCU-3",
        },
    )
    assert found is not None
    assert found.selection == Selection(
        use_models=("K100_AI", "Z100L"),
        avoid_models=("BW",),
        use_devices=("DCU-TNK7A21", "DCU-2"),
        avoid_devices=("DCU-3",),
    )


def test_what_is_missing_is_told() -> None:
    """A reason for each feature that a user may look for in vain."""
    assert set(hygon.missing) == {Feature.MEMORY_PERCENTAGE, Feature.PRIORITY}
    assert all(reason for reason in hygon.missing.values())


def test_todays_own_plugin_reads_nothing_that_we_would_write() -> None:
    """It has a protocol with its own scheduler and no annotation that a pod could carry for it."""
    assert hygon.splitting.annotations({"main": ()}) == {}
