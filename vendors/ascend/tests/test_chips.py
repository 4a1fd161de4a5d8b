"""Every template of every chip, each boundary of its size, and each chip filled to its documented maximum."""

from __future__ import annotations

import pytest
from hetero_ascend.chips import CHIPS, FAMILIES, PRODUCTS, Chip, Template, chip_of
from hetero_ascend.names import HARD, SOFT, VIR03
from hetero_ascend.splitting import AICORES, AICPUS, DVPP, NpuSplitting

from hetero.errors import InvalidValue
from hetero.model.ask import Ask
from hetero.model.device import CORES, MEMORY, SLOTS, DeviceModel, Quantities
from hetero.model.share import Reason, Refusal, Share

splitting = NpuSplitting()

# Family: MiB, AI cores, AI CPUs; then each template's MiB, AI cores, AI CPUs, and how many fill a chip.
# Source: Project-HAMi/HAMi v2.10, charts/hami; Huawei mind-cluster, ascend-for-volcano.
TABLE = {
    "Ascend910A": (
        (32768, 30, 14),
        {"vir02": (2184, 2, 1, 14), "vir04": (4369, 4, 1, 7), "vir08": (8738, 8, 3, 3), "vir16": (17476, 16, 7, 1)},
    ),
    "Ascend910B2": (
        (65536, 24, 6),
        {"vir03_1c_8g": (8192, 3, 1, 6), "vir06_1c_16g": (16384, 6, 1, 4), "vir12_3c_32g": (32768, 12, 3, 2)},
    ),
    "Ascend910B3": ((65536, 20, 7), {"vir05_1c_16g": (16384, 5, 1, 4), "vir10_3c_32g": (32768, 10, 3, 2)}),
    "Ascend910B4": (
        (32768, 20, 7),
        {
            "vir05_1c_8g": (8192, 5, 1, 4),
            "vir10_3c_16g": (16384, 10, 3, 2),
            "vir10_3c_16g_nm": (16384, 10, 3, 2),
            "vir10_4c_16g_m": (16384, 10, 4, 1),
        },
    ),
    "Ascend910B4-1": ((65536, 20, 7), {"vir05_1c_16g": (16384, 5, 1, 4), "vir10_3c_32g": (32768, 10, 3, 2)}),
    "Ascend910C": ((65536, 20, 7), {"vir05_1c_16g": (16384, 5, 1, 4), "vir10_3c_32g": (32768, 10, 3, 2)}),
    "Ascend310P": (
        (24576, 8, 7),
        {
            "vir01": (3072, 1, 1, 7),
            "vir02": (6144, 2, 2, 3),
            "vir04": (12288, 4, 4, 1),
            "vir02_1c": (6144, 2, 1, 4),
            "vir04_3c": (12288, 4, 3, 2),
            "vir04_3c_ndvpp": (12288, 4, 3, 2),
            "vir04_4c_dvpp": (12288, 4, 4, 1),
        },
    ),
}


def model_of(chip: Chip, mode: str | None = None) -> DeviceModel:
    """The chip with all templates that it may have, or in the mode that is named."""
    gated = any(one.gated for one in chip.templates)
    return splitting.model(chip.products[0], chip.memory, (VIR03 if gated else "") if mode is None else mode)


def _names(one: Chip | Template) -> str:
    return one.name if isinstance(one, Template) else one.family


EVERY = [(chip, template) for chip in CHIPS for template in chip.templates]


def share(model: DeviceModel, **ask: object) -> Share:
    """What this ask takes, which must not be refused."""
    found = splitting.split(model, Ask(vendor="ascend", family=model.family, **ask))  # type: ignore[arg-type]
    assert isinstance(found, Share), found
    return found


def whole_count(chip: Chip) -> int:
    """The fewest whole chips that may be had."""
    return 2 if chip.family == "Ascend910C" else 1


def fits(model: DeviceModel, taken: list[Quantities]) -> bool:
    """True when a chip has all of these at once."""
    return all(sum(one.get(name, 0) for one in taken) <= room for name, room in model.capacity.items())


def most(model: DeviceModel, one: Share) -> int:
    """How many of a share a chip takes."""
    return next(number for number in range(64) if not fits(model, [one.quantities] * (number + 1)))


def test_the_tables_are_those_of_the_sources() -> None:
    """Every chip and every template that the sources name, and no other."""
    assert {chip.family: (chip.memory, chip.aicores, chip.aicpus) for chip in CHIPS} == {
        family: row for family, (row, _) in TABLE.items()
    }
    for chip in CHIPS:
        told = {one.name: (one.memory, one.aicores, one.aicpus) for one in chip.templates}
        assert told == {name: row[:3] for name, row in TABLE[chip.family][1].items()}


@pytest.mark.parametrize(("chip", "template"), EVERY, ids=_names)
def test_a_template_by_name_charges_all_that_it_takes(chip: Chip, template: Template) -> None:
    """Memory, AI cores, AI CPUs, DVPP and the percent of the cores, in one slot."""
    found = share(model_of(chip), template=template.name)
    assert found.template == template.name
    assert found.quantities[SLOTS] == 1
    assert found.memory == template.memory
    assert found.quantities[AICORES] == template.aicores
    assert found.quantities[AICPUS] == template.aicpus
    assert found.quantities[DVPP] == template.dvpp
    assert found.cores == template.aicores * 100 // chip.aicores


@pytest.mark.parametrize(("chip", "template"), EVERY, ids=_names)
def test_a_chip_is_filled_to_its_documented_maximum(chip: Chip, template: Template) -> None:
    """So many of a template fit on an empty chip, and not one more."""
    model = model_of(chip)
    assert most(model, share(model, template=template.name)) == TABLE[chip.family][1][template.name][3]


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.family)
def test_memory_rounds_up_at_each_boundary(chip: Chip) -> None:
    """A MiB less and the size itself get the template, a MiB more the next one, and after the last the whole chip."""
    model = model_of(chip)
    plain = sorted((one for one in chip.templates if one.plain), key=lambda one: one.memory)
    for template, following in zip(plain, [*plain[1:], None], strict=True):
        assert share(model, memory=template.memory - 1).template == template.name
        assert share(model, memory=template.memory).template == template.name
        above = share(model, memory=template.memory + 1, count=1 if following else whole_count(chip))
        assert above.template == (following.name if following else "")
        if following is None:
            assert above.quantities == model.capacity


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.family)
def test_the_whole_chip_is_everything(chip: Chip) -> None:
    """By its count, by all of its memory and by 100 percent; a MiB more than it has is refused with both figures."""
    model = model_of(chip)
    count = whole_count(chip)
    for ask in ({"cores": 100}, {}, {"memory": chip.memory}, {"memory": 1, "cores": 100}, {"memory_percentage": 100}):
        assert share(model, count=count, **ask).quantities == model.capacity
    refused = splitting.split(model, Ask(vendor="ascend", count=count, memory=chip.memory + 1))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.INSUFFICIENT_MEMORY
    assert str(chip.memory) in refused.message
    assert str(chip.memory + 1) in refused.message


@pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.family)
def test_percent_of_cores_choose_a_template_that_has_them(chip: Chip) -> None:
    """Little memory with many cores takes the template that has as many, not the one of the memory."""
    model = model_of(chip)
    plain = [one for one in chip.templates if one.plain]
    for cores in range(1, 100):
        fitting = [one for one in plain if one.aicores * 100 >= cores * chip.aicores]
        found = share(model, memory=1, cores=cores, count=1 if fitting else whole_count(chip))
        assert found.cores >= cores
        assert found.template == (fitting[0].name if fitting else "")
        if not fitting:
            assert found.quantities == model.capacity


def test_ai_cpus_run_out_before_memory() -> None:
    """On 910B2 six of the smallest template fit, though memory and slots have room for eight."""
    model = model_of(FAMILIES["Ascend910B2"])
    small = share(model, memory=8192)
    assert small.template == "vir03_1c_8g"
    assert model.capacity[SLOTS] == 8
    assert 8 * small.memory <= model.capacity[MEMORY]
    assert most(model, small) == 6


def test_ai_cpus_run_out_in_a_mixture() -> None:
    """On 910B2 half of the chip and four of the smallest need seven AI CPUs of six; with three they fit."""
    model = model_of(FAMILIES["Ascend910B2"])
    half, small = share(model, memory=32768).quantities, share(model, memory=8192).quantities
    assert half[MEMORY] + 4 * small[MEMORY] <= model.capacity[MEMORY]
    assert not fits(model, [half, *[small] * 4])
    assert fits(model, [half, *[small] * 3])


@pytest.mark.parametrize(
    ("family", "one", "other"),
    [("Ascend310P", "vir04_4c_dvpp", "vir04_3c_ndvpp"), ("Ascend910B4", "vir10_4c_16g_m", "vir10_3c_16g_nm")],
)
def test_all_dvpp_goes_with_none(family: str, one: str, other: str) -> None:
    """The templates that are made for each other fill a chip; one with a part of the units does not fit beside all."""
    chip = FAMILIES[family]
    model = model_of(chip)
    everything, nothing = (share(model, template=name).quantities for name in (one, other))
    assert fits(model, [everything, nothing])
    ordinary = share(model, memory=1).quantities
    assert not fits(model, [everything, ordinary])


def test_programs_on_310p_get_what_is_allocatable() -> None:
    """21527 of 24576 MiB: seven of the smallest template are less, and software splits no more than that."""
    model = model_of(FAMILIES["Ascend310P"])
    small = share(model, memory=3072)
    assert 8 * small.memory <= model.capacity[MEMORY]
    assert most(model, small) == model.capacity[SLOTS] == 7
    assert 7 * small.memory <= 21527
    assert share(model, memory=24000).quantities == model.capacity
    for told in (21527, 24576):
        assert splitting.model("310P3", told) == model
        assert splitting.model("310P3", told, SOFT).capacity[MEMORY] == 21527


def test_the_gated_template_is_had_where_the_driver_has_it() -> None:
    """Without the mode 8192 MiB take the next template, and its name is refused with a sentence."""
    chip = FAMILIES["Ascend910B2"]
    plain = splitting.model("910B2", chip.memory)
    assert share(plain, memory=8192).template == "vir06_1c_16g"
    assert plain.capacity[SLOTS] == 4
    refused = splitting.split(plain, Ask(vendor="ascend", template="vir03_1c_8g"))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.UNSUPPORTED
    assert "vir03_1c_8g" in refused.message


def test_of_equal_templates_the_plain_one_is_chosen() -> None:
    """A size alone never gets a template that lacks units, or takes all of them."""
    for chip in CHIPS:
        for memory in {one.memory for one in chip.templates}:
            found = share(model_of(chip), memory=memory).template
            template = chip.template(found)
            assert template is not None
            assert template.plain


def test_a_chip_is_known_by_its_exact_name() -> None:
    """No name that begins like another is taken for it, in either direction, nor in another case."""
    assert PRODUCTS["910B4"].family == "Ascend910B4"
    assert PRODUCTS["910B4-1"].family == "Ascend910B4-1"
    for product, chip in PRODUCTS.items():
        assert chip_of(product) is chip
        for other in (product + "x", product + "-1x", product.swapcase() + "-", "Ascend" + product):
            assert chip_of(other) is None or chip_of(other) is not chip


def test_modes_of_a_chip_are_told_apart() -> None:
    """A hard ask, a soft one and one that does not say are served by the models that have what they mean."""
    hard = splitting.model("910B3", 65536)
    soft = splitting.model("910B3", 65536, SOFT)
    ask = Ask(vendor="ascend", memory=1000)
    assert share(hard, memory=1000, mode=HARD).template
    assert share(soft, memory=1000, mode=SOFT).memory == 1000
    assert not share(soft, memory=1000).template
    for model, mode in ((hard, SOFT), (soft, HARD), (hard, "other"), (soft, "other")):
        refused = splitting.split(model, Ask(vendor="ascend", memory=ask.memory, mode=mode))
        assert isinstance(refused, Refusal), (model, mode)
        assert refused.reason is Reason.UNSUPPORTED


def test_a_soft_share_is_what_was_asked() -> None:
    """To the MiB and the percent, several on a chip and several chips at once; the hardware's parts are not counted."""
    model = splitting.model("910B3", 65536, SOFT)
    assert share(model, memory=1001, cores=33, count=2).quantities == {SLOTS: 1, MEMORY: 1001, CORES: 33}
    assert most(model, share(model, memory=6553, cores=10)) == 10


def test_a_whole_chip_is_whole_on_a_soft_node() -> None:
    """More than any template has is the whole chip for who asks by templates, also where software splits."""
    model = splitting.model("910B3", 65536, SOFT)
    assert share(model, memory=40000, mode=HARD).quantities == model.capacity
    assert share(model, cores=100).quantities == model.capacity
    assert share(model, memory=40000, mode=SOFT).memory == 40000


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        ({"template": "vir05_1c_16g", "memory": 16385}, Reason.INSUFFICIENT_MEMORY),
        ({"template": "vir05_1c_16g", "cores": 26}, Reason.INSUFFICIENT_CORES),
        ({"template": "vir04"}, Reason.UNSUPPORTED),
        ({"template": "vir05_1c_16g", "count": 2}, Reason.UNSUPPORTED),
        ({"memory": 16384, "count": 2}, Reason.UNSUPPORTED),
    ],
)
def test_what_a_template_cannot_be_is_refused(ask: dict[str, object], reason: Reason) -> None:
    """Less than asked beside its name, the template of another chip, and several vNPUs for one container."""
    model = splitting.model("910B3", 65536)
    found = splitting.split(model, Ask(vendor="ascend", family=model.family, **ask))  # type: ignore[arg-type]
    assert isinstance(found, Refusal)
    assert found.reason is reason


def test_the_newest_chips_are_given_whole() -> None:
    """Their driver makes no vNPU: any size takes one chip, whatever its memory."""
    model = splitting.model("Ascend950PR", 114688)
    assert model.family == "Ascend950"
    assert share(model, memory=1).quantities == model.capacity == {SLOTS: 1, MEMORY: 114688, CORES: 100}


@pytest.mark.parametrize(
    ("name", "memory", "mode", "field", "reason"),
    [
        ("910Z", 65536, "", "model", "is no chip that is known; write one of .*910B3"),
        ("910B3", 0, "", "memory", "is no size"),
        ("910B3", -1, "", "memory", "is no size"),
        ("910B3", 65536, "other", "mode", "is no mode of 910B3; leave it out or write "),
        ("Ascend950PR", 114688, SOFT, "mode", "is no mode of Ascend950PR; leave it out$"),
    ],
)
def test_a_described_chip_has_to_be_one(name: str, memory: int, mode: str, field: str, reason: str) -> None:
    """What a cluster file says is refused with the field, and with what to write instead."""
    with pytest.raises(InvalidValue, match=reason) as found:
        splitting.model(name, memory, mode)
    assert found.value.field == field


def test_what_no_chip_has_is_refused_before_templates_are_looked_at() -> None:
    """More memory than there is, in MiB; and nothing is given of a chip whose parts nobody knows."""
    chip = splitting.model("910B3", 65536)
    refused = splitting.split(chip, Ask(vendor="ascend", family=chip.family, memory=65537))
    assert refused == Refusal(
        reason=Reason.INSUFFICIENT_MEMORY, message="910B3 has 65536 MiB of memory, asked 65537 MiB"
    )
    unknown = DeviceModel(vendor="ascend", name="910Z", capacity={SLOTS: 1, MEMORY: 65536})
    refused = splitting.split(unknown, Ask(vendor="ascend"))
    assert isinstance(refused, Refusal)
    assert refused.reason is Reason.UNSUPPORTED
