"""What agents have said, in columns: what is not known is not a number, and nothing of one node is another's."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from world import NOW, World

from hetero.monitoring.report import DeviceReport, NodeReport, SliceReport
from hetero.testing.fake import fake_node
from hetero.web.known import Known, Reports

STEP = st.one_of(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("fail"), st.sampled_from("abc"), st.just(0)),
    st.tuples(st.just("expire"), st.just(""), st.integers(0, 20)),
    st.tuples(st.just("node"), st.sampled_from("abc"), st.integers(0, 3)),
    st.tuples(st.just("look"), st.just(""), st.just(0)),
)


def said(node: str, devices: int, number: int) -> NodeReport:
    """A report of so many devices."""
    found = tuple(
        DeviceReport(uuid=f"fake-{index}", vendor="fake", model="F1", memory_used=number + index, power=None)
        for index in range(devices)
    )
    return NodeReport(node=node, time=0.0, devices=found)


def column(known: Known) -> dict[tuple[str, str], float]:
    """Memory in use, by card, of those where it is known."""
    rows = {place: float(known.memory[row]) for place, row in known.shape.rows.items()}
    return {place: value for place, value in rows.items() if not math.isnan(value)}


@settings(max_examples=40, deadline=None)
@given(st.lists(STEP, max_size=15))
def test_columns_that_were_brought_up_to_date_are_as_new_ones(steps: list[tuple[str, str, int]]) -> None:
    """Whatever came in between: reports, silence, age, nodes that change; earlier columns stay as they were."""
    world, reports, newest = World(), Reports(), {}
    for time, (what, node, number) in enumerate(steps):
        if what == "put":
            reports.put(node, said(node, number, 10 * time), float(time))
            newest[node] = time, number
        elif what == "fail":
            reports.fail(node, "asleep")
        elif what == "expire":
            reports.expire(float(number))
            newest = {name: one for name, one in newest.items() if one[0] >= number}
        elif what == "node":
            world.node(fake_node(node, number))
        known = reports.known(world.state.scene().shape)
        there = known.shape.rows
        assert column(known) == {
            (name, f"fake-{index}"): 10.0 * when + index
            for name, (when, count) in newest.items()
            for index in range(count)
            if (name, f"fake-{index}") in there
        }
        assert set(known.seen) == set(newest)


def test_the_same_device_may_be_in_a_slice_twice() -> None:
    """In the order of positions, whatever order they are reported in."""

    def one(position: int) -> SliceReport:
        return SliceReport(
            id="s", vendor="fake", device="fake-0", position=position, pod_uid="u", container="c", launches=position
        )

    world = World()
    world.node(fake_node("a", 1))
    world.report(NodeReport(node="a", time=0.0, slices=(one(1), one(0))))
    known = world.state.scene().known
    found: list[Any] = [known.slice("a", ("u", "c", "fake-0"), turn) for turn in range(3)]
    assert [part and part.launches for part in found] == [0, 1, None]
    assert known.slice("b", ("u", "c", "fake-0"), 0) is None


def test_what_is_no_number_is_not_known() -> None:
    """JSON could not say it."""
    reports = Reports()
    device = DeviceReport(uuid="fake-0", vendor="fake", model="F1", utilization=math.inf, power=math.nan)
    reports.put("a", NodeReport(node="a", time=0.0, devices=(device,)), NOW)
    world = World()
    world.node(fake_node("a", 1))
    known = reports.known(world.state.scene().shape)
    assert math.isnan(known.compute[0])
    assert math.isnan(known.power[0])
