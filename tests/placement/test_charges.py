"""What a placed pod takes: containers add up, init containers take turns."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from hetero.model.device import Quantities
from hetero.model.placement import ContainerPlacement, DeviceShare, Placement
from hetero.model.share import Share
from hetero.placement.charges import charges, together

Held = dict[str, Quantities]


def _container(*held: tuple[str, Quantities]) -> ContainerPlacement:
    shares = (DeviceShare(vendor="fake", device=device, share=Share(quantities=amounts)) for device, amounts in held)
    return ContainerPlacement(container="c", devices=tuple(shares))


def _placement(containers: list[ContainerPlacement], init: list[ContainerPlacement] | None = None) -> Placement:
    return Placement(
        namespace="default", pod="p", node="n", containers=tuple(containers), init_containers=tuple(init or ())
    )


def test_a_pod_without_devices_takes_nothing() -> None:
    """Containers that ask nothing are in the placement and cost nothing."""
    assert charges(_placement([_container()], [_container()])) == {}


def test_containers_side_by_side_add_up() -> None:
    """Two containers on one device take the sum of their shares."""
    placed = _placement([_container(("d", {"memory": 3, "slots": 1})), _container(("d", {"memory": 4, "slots": 1}))])
    assert charges(placed) == {"d": {"memory": 7, "slots": 2}}


def test_one_container_may_hold_a_device_twice() -> None:
    """Two shares of one device in one container add up as well."""
    assert charges(_placement([_container(("d", {"memory": 3}), ("d", {"memory": 4}))])) == {"d": {"memory": 7}}


def test_containers_on_several_devices_are_charged_on_each() -> None:
    """Each device is charged what its own share takes."""
    placed = _placement([_container(("d", {"memory": 3}), ("e", {"memory": 5}))])
    assert charges(placed) == {"d": {"memory": 3}, "e": {"memory": 5}}


def test_init_containers_take_the_greatest_of_them_not_the_sum() -> None:
    """Init containers run one after another: each finds free what the one before it held."""
    placed = _placement([], [_container(("d", {"memory": 3})), _container(("d", {"memory": 8}))])
    assert charges(placed) == {"d": {"memory": 8}}


def test_an_init_container_smaller_than_the_containers_costs_nothing() -> None:
    """It reuses what its successors get."""
    placed = _placement([_container(("d", {"memory": 5}))], [_container(("d", {"memory": 4}))])
    assert charges(placed) == {"d": {"memory": 5}}


def test_the_greater_is_taken_in_each_dimension_by_itself() -> None:
    """An init container with more memory and less compute raises only the memory."""
    placed = _placement(
        [_container(("d", {"memory": 5, "cores": 50}))], [_container(("d", {"memory": 9, "cores": 10, "rings": 1}))]
    )
    assert charges(placed) == {"d": {"memory": 9, "cores": 50, "rings": 1}}


def test_an_init_container_on_a_device_of_its_own_is_charged_there() -> None:
    """A device that only an init container holds is charged too."""
    placed = _placement([_container(("d", {"memory": 5}))], [_container(("e", {"memory": 2}))])
    assert charges(placed) == {"d": {"memory": 5}, "e": {"memory": 2}}


def test_charging_leaves_the_placement_as_it_was() -> None:
    """The sums are the caller's own: adding to them does not change the record they were made of."""
    placed = _placement([_container(("d", {"memory": 5}))])
    charges(placed)["d"]["memory"] = 99
    assert charges(placed) == {"d": {"memory": 5}}


_AMOUNTS = st.dictionaries(st.sampled_from(["slots", "memory", "cores"]), st.integers(0, 9), max_size=3)
_CONTAINERS = st.lists(
    st.lists(st.tuples(st.sampled_from("de"), _AMOUNTS), max_size=3).map(lambda held: _container(*held)), max_size=4
)


def _at(held: Held, device: str, name: str) -> int:
    return held.get(device, {}).get(name, 0)


@settings(deadline=None)
@given(_CONTAINERS, _CONTAINERS)
def test_a_pod_takes_what_it_has_at_its_greatest_moment(
    containers: list[ContainerPlacement], init: list[ContainerPlacement]
) -> None:
    """For each device and dimension: the greatest over the moments of the pod's life, and nothing above that."""
    taken = charges(_placement(containers, init))
    moments = [together([one]) for one in init] + [together(containers)]
    for device in "de":
        for name in ("slots", "memory", "cores"):
            assert _at(taken, device, name) == max(_at(moment, device, name) for moment in moments)


@settings(deadline=None)
@given(_CONTAINERS)
def test_the_order_of_containers_does_not_matter(containers: list[ContainerPlacement]) -> None:
    """A sum is the same in any order, and so is a greatest."""
    assert charges(_placement(containers)) == charges(_placement(containers[::-1]))
    assert charges(_placement([], containers)) == charges(_placement([], containers[::-1]))
