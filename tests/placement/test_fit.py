"""Which devices have room: each model is split once, and a vendor is held to its word."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from hetero.model.ask import Ask, Selection
from hetero.model.device import CORES, MEMORY, SLOTS, Device, DeviceModel, Health, Inventory, Node, Quantities
from hetero.model.share import Reason, Refusal, Share
from hetero.placement.fit import CODE, FOREIGN, NOTHING, OPEN, Fit, Need
from hetero.placement.ledger import Ledger
from hetero.testing.fake import FakeSplitting, fake_device, fake_devices, fake_vendor
from hetero.vendor import Vendor

Answer = Callable[[DeviceModel, Ask], Any]


class Splits(FakeSplitting):
    """Splits as the test says, and counts how often it was asked."""

    def __init__(self, answer: Answer) -> None:
        super().__init__("fake")
        self.answer = answer
        self.asked: list[str] = []

    def split(self, model: DeviceModel, ask: Ask) -> Share | Refusal:
        self.asked.append(model.name)
        return self.answer(model, ask)  # type: ignore[no-any-return]


def _gives(**quantities: int) -> Splits:
    return Splits(lambda model, ask: Share(quantities=quantities))


@dataclass(frozen=True)
class Case:
    """A ledger of one node with these devices, and its fit."""

    ledger: Ledger
    fit: Fit

    def need(self, ask: Ask) -> Need:
        return self.fit.need(ask)

    def rows(self, ask: Ask) -> list[int]:
        """The rows that could serve if they were empty."""
        standing = self.need(ask).standing(self.ledger, slice(0, self.ledger.extent))
        return np.flatnonzero(standing == OPEN).tolist()  # type: ignore[no-any-return]

    def codes(self, ask: Ask) -> list[int]:
        return self.need(ask).standing(self.ledger, slice(0, self.ledger.extent)).tolist()  # type: ignore[no-any-return]

    def room(self, ask: Ask, **used: int) -> list[bool]:
        """Which of the rows have room when so much is used of each."""
        need, ledger = self.need(ask), self.ledger
        free = ledger.capacity[:, : ledger.extent] - ledger.catalogue.vector(used)[:, np.newaxis]
        return need.room(ledger.model_of[: ledger.extent], free).tolist()  # type: ignore[no-any-return]


def _fit(
    *devices: Device,
    splitting: Splits | None = None,
    vendors: dict[str, Vendor] | None = None,
    cordoned: tuple[str, ...] = (),
) -> Case:
    ledger = Ledger(Inventory(nodes=(Node(name="n", devices=devices, cordoned=cordoned),)))
    if vendors is None:
        vendors = {"fake": fake_vendor(splitting=splitting), "other": fake_vendor("other")}
    return Case(ledger, Fit(ledger, vendors))


def test_a_need_holds_the_share_of_each_model(ask: Any) -> None:
    """Half the memory is another amount on each model."""
    fit = _fit(fake_device(0, memory=1000), fake_device(1, memory=3000, model="Fake F2"))
    need = fit.need(ask(memory=None, memory_percentage=50))
    assert [need.share(model).memory for model in (0, 1)] == [500, 1500]


def test_a_model_is_split_once_however_many_devices_there_are(ask: Any) -> None:
    """Placement of thousands of devices asks a vendor once per model and ask."""
    splits = _gives(slots=1)
    fit = _fit(*fake_devices(8), fake_device(8, model="Fake F2"), splitting=splits)
    for _ in range(3):
        fit.need(ask())
    assert splits.asked == ["Fake F1", "Fake F2"]


def test_equal_asks_of_different_pods_are_one_need(ask: Any) -> None:
    """What was worked out for one pod of a deployment serves the others."""
    fit = _fit(fake_device())
    assert fit.need(ask(memory=7)) is fit.need(ask(memory=7))
    assert fit.need(ask(memory=7)) is not fit.need(ask(memory=8))


def test_only_so_many_needs_are_remembered(ask: Any) -> None:
    """Memory stays bounded when every pod asks something else, and forgotten needs are worked out anew."""
    splits = _gives(slots=1)
    fit = _fit(fake_device(), splitting=splits)
    for memory in range(1, 600):
        fit.need(ask(memory=memory))
    assert len(fit.fit._needs) <= 512
    fit.need(ask(memory=1))
    assert len(splits.asked) == 600


def test_devices_of_other_vendors_and_families_do_not_serve(ask: Any) -> None:
    """An ask names vendor and family; other devices have no share and no refusal either."""
    ring = DeviceModel(vendor="fake", name="Ring R1", family="rings", capacity={SLOTS: 1})
    fit = _fit(fake_device(0), fake_device(0, vendor="other"), Device(uuid="ring", index=1, model=ring))
    assert fit.codes(ask()) == [OPEN, FOREIGN, FOREIGN]
    assert sum(share is None for share in fit.need(ask()).shares) == 2
    assert fit.rows(ask(vendor="other")) == [2]


def test_an_unhealthy_device_does_not_serve(ask: Any) -> None:
    """Nothing new goes on a device that the driver calls unfit."""
    fit = _fit(fake_device(0, health=Health(ok=False, reason="lost")), fake_device(1))
    assert fit.codes(ask()) == [CODE[Reason.UNHEALTHY], OPEN]


def test_a_cordoned_device_does_not_serve(ask: Any) -> None:
    """Nothing new goes there; one that is unhealthy as well is called that, and a foreign one is none of ours."""
    sick = fake_device(1, health=Health(ok=False, reason="lost"))
    fit = _fit(
        fake_device(0), sick, fake_device(2), fake_device(3, vendor="other"), cordoned=("fake-0", "fake-1", "other-3")
    )
    assert fit.codes(ask()) == [CODE[Reason.CORDONED], CODE[Reason.UNHEALTHY], OPEN, FOREIGN]


@pytest.mark.parametrize(
    ("selection", "rows"),
    [
        (Selection(use_devices=("fake-1", "fake-2")), [1, 2]),
        (Selection(avoid_devices=("fake-1",)), [0, 2]),
        (Selection(use_models=("f2",)), [2]),
        (Selection(avoid_models=("f2",)), [0, 1]),
        (Selection(use_models=("f9",)), []),
        (Selection(same_numa=True), [0, 1, 2]),
    ],
)
def test_only_selected_devices_serve(ask: Any, selection: Selection, rows: list[int]) -> None:
    """What a pod wants and avoids is decided once for all nodes."""
    fit = _fit(fake_device(0), fake_device(1), fake_device(2, model="Fake F2"))
    assert fit.rows(ask(selection=selection)) == rows


def test_a_model_that_the_vendor_refuses_does_not_serve(ask: Any) -> None:
    """The refusal is kept for the person whose pod waits."""
    fit = _fit(fake_device(0, memory=500, model="Small"), fake_device(1))
    need = fit.need(ask(memory=1000))
    assert fit.codes(ask(memory=1000)) == [CODE[Reason.INSUFFICIENT_MEMORY], OPEN]
    assert need.shares[0] == Refusal(reason=Reason.INSUFFICIENT_MEMORY, message="Small has 500 MiB, asked 1000 MiB")


def test_room_is_what_was_not_taken(ask: Any) -> None:
    """To the last unit in each dimension, and not one more."""
    fit = _fit(fake_device(memory=1000))
    asked = ask(memory=300, cores=40)
    assert fit.room(asked, slots=9, memory=700, cores=60) == [True]
    for one_more in ({"slots": 10}, {"memory": 701}, {"cores": 61}):
        assert fit.room(asked, **one_more) == [False], one_more


def test_what_is_not_asked_need_not_be_free(ask: Any) -> None:
    """A device that has less of something than is taken of it still gives what it has enough of."""
    plain = _fit(fake_device(memory=1000), splitting=_gives(slots=1, cores=10))
    assert plain.room(ask(cores=10), memory=5000) == [True]


def test_unlimited_compute_needs_a_percent_that_nobody_was_promised(ask: Any) -> None:
    """A program without a limit would take what was promised to others, so some must be left."""
    fit = _fit(fake_device())
    assert fit.room(ask(cores=0), cores=99) == [True]
    assert fit.room(ask(cores=0), cores=100) == [False]
    assert fit.need(ask(cores=0)).share(0).cores == 0, "the percent is needed, not charged"


def test_a_chip_without_compute_shares_needs_none(ask: Any) -> None:
    """Where compute is no dimension of the model, none of it has to be free."""
    plain = DeviceModel(vendor="fake", name="Plain", capacity={SLOTS: 2, MEMORY: 100})
    fit = _fit(Device(uuid="plain", index=1, model=plain), fake_device(0), splitting=_gives(slots=1, memory=1))
    need = fit.need(ask())
    assert fit.rows(ask()) == [0, 1]
    cores, plain_model, usual = fit.ledger.catalogue.columns[CORES], fit.ledger.model_of[1], fit.ledger.model_of[0]
    assert need.floor[cores, [usual, plain_model]].tolist() == [1, NOTHING]


def test_an_inventory_without_compute_has_no_such_column(ask: Any) -> None:
    """The percent of compute is only for clusters that count it."""
    plain = DeviceModel(vendor="fake", name="Plain", capacity={SLOTS: 2})
    need = _fit(Device(uuid="p", index=0, model=plain), splitting=_gives(slots=1)).need(ask())
    assert need.floor.tolist() == [[1]]


@pytest.mark.parametrize(
    "quantities", [{MEMORY: 16385}, {MEMORY: -1}, {CORES: 101}, {SLOTS: 11}, {"rings": 1}, {"rings": 0}]
)
def test_a_share_outside_the_model_is_a_refusal(ask: Any, quantities: Quantities) -> None:
    """A vendor's mistake must not become an over-commitment: it is refused, logged and named."""
    fit = _fit(fake_device(), splitting=_gives(**quantities))
    with capture_logs() as lines:
        need = fit.need(ask())
    assert fit.rows(ask()) == []
    refusal = need.shares[0]
    assert isinstance(refusal, Refusal)
    assert refusal.reason is Reason.UNSUPPORTED
    assert refusal.message.startswith("vendor 'fake' failed on Fake F1: a share of ")
    assert [(line["event"], line["vendor"], line["model"]) for line in lines] == [("split failed", "fake", "Fake F1")]


def _raises(model: DeviceModel, ask: Ask) -> Any:
    raise ZeroDivisionError("by nought")


def test_a_vendor_that_raises_is_a_refusal_with_its_words(ask: Any) -> None:
    """The person whose pod waits and the log both get the reason."""
    with capture_logs() as lines:
        need = _fit(fake_device(), splitting=Splits(_raises)).need(ask())
    assert need.shares == [Refusal(reason=Reason.UNSUPPORTED, message="vendor 'fake' failed on Fake F1: by nought")]
    assert lines[0]["reason"] == "by nought"


@pytest.mark.parametrize("answer", [Share(quantities={MEMORY: "much"}), Share(quantities=None)])  # type: ignore[arg-type]
def test_an_answer_of_the_wrong_kind_is_a_refusal(ask: Any, answer: Any) -> None:
    """A plugin is a stranger's code: amounts may turn out to be anything."""
    with capture_logs() as lines:
        need = _fit(fake_device(), splitting=Splits(lambda model, ask: answer)).need(ask())
    assert isinstance(need.shares[0], Refusal)
    assert len(lines) == 1


def test_a_broken_vendor_does_not_stop_the_others(ask: Any) -> None:
    """One vendor's defect is its own."""
    fit = _fit(fake_device(), fake_device(vendor="other"), splitting=Splits(_raises))
    with capture_logs():
        assert fit.rows(ask()) == []
        assert fit.rows(ask(vendor="other")) == [1]


def test_one_bad_model_does_not_stop_the_vendors_others(ask: Any) -> None:
    """A vendor may fail on one model alone."""

    def answer(model: DeviceModel, ask: Ask) -> Any:
        return _raises(model, ask) if model.name == "Bad" else Share(quantities={SLOTS: 1})

    with capture_logs():
        assert _fit(fake_device(0, model="Bad"), fake_device(1), splitting=Splits(answer)).rows(ask()) == [1]


def test_a_vendor_that_is_not_installed_is_a_refusal(ask: Any) -> None:
    """The cluster may have devices of a vendor whose package is missing here."""
    with capture_logs() as lines:
        need = _fit(fake_device(), vendors={}).need(ask())
    assert need.shares == [Refusal(reason=Reason.UNSUPPORTED, message="vendor 'fake' is not installed")]
    assert lines == [], "nothing failed"
