"""The mirror of the region's layout against the header that pins it: a compiler is asked, not a reader."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from hetero.enforcement import layout
from hetero.enforcement.layout import Field, Record

INCLUDE = Path(__file__).parents[2] / "native/include"
RECORDS = (layout.REGION, layout.DEVICE, layout.SLOT, layout.ENTRY)
FIELDS = [pytest.param(record, name, id=f"{record.name}.{name}") for record in RECORDS for name in record.fields]

CONSTANTS = {
    "HETERO_REGION_MAGIC": layout.MAGIC,
    "HETERO_REGION_VERSION": layout.VERSION,
    "HETERO_DEVICES": layout.DEVICES,
    "HETERO_SLOTS": layout.SLOTS,
    "HETERO_REGION_READY": layout.READY,
    "HETERO_SLOT_TAKEN": layout.TAKEN,
    "HETERO_DEVICE_OVERSUBSCRIBE": layout.OVERSUBSCRIBE,
    "HETERO_POLICY_CAP": layout.POLICIES.index("cap"),
    "HETERO_POLICY_CONSERVE": layout.POLICIES.index("conserve"),
}

PLACES = {
    "sizeof(struct hetero_region)": layout.SIZE,
    "sizeof(struct hetero_region_device)": layout.DEVICE.size,
    "sizeof(struct hetero_region_slot)": layout.SLOT.size,
    "sizeof(struct hetero_ledger_entry)": layout.ENTRY.size,
    "offsetof(struct hetero_region, slots[0].memory)": layout.ENTRY.start,
    "offsetof(struct hetero_region, devices)": layout.DEVICE.start,
    "offsetof(struct hetero_region, slots)": layout.SLOT.start,
}


def _offset(record: Record, name: str) -> str:
    return f"offsetof(struct {record.name}, {name})"


def _size(record: Record, name: str) -> str:
    return f"sizeof(((struct {record.name} *)0)->{name})"


def _of_fields() -> list[str]:
    return [of(record, name) for record in RECORDS for name in record.fields for of in (_offset, _size)]


@pytest.fixture(scope="module")
def header(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the C compiler makes of each expression about the header."""
    directory = tmp_path_factory.mktemp("layout")
    expressions = [*CONSTANTS, *PLACES, *_of_fields()]
    lines = "\n".join(f'\tprintf("%llu\\n", (unsigned long long)({one}));' for one in expressions)
    source = directory / "layout.c"
    source.write_text(f"#include <stdio.h>\n#include <hetero/region.h>\nint main(void)\n{{\n{lines}\n}}\n")
    compiler = shutil.which("cc") or shutil.which("gcc")
    assert compiler, "the native runtime needs a C compiler, and so does this test"
    program = directory / "layout"
    subprocess.run([compiler, "-std=gnu11", f"-I{INCLUDE}", source, "-o", program], check=True, timeout=600)
    printed = subprocess.run([program], capture_output=True, text=True, check=True, timeout=600).stdout
    return dict(zip(expressions, map(int, printed.split()), strict=True))


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_is_the_headers(header: dict[str, int], name: str) -> None:
    """Magic, version, counts and states are spelled twice and mean one thing."""
    assert header[name] == CONSTANTS[name]


@pytest.mark.parametrize("expression", PLACES)
def test_records_are_as_large_as_in_c_and_stand_where_they_do(header: dict[str, int], expression: str) -> None:
    """An array that starts elsewhere, or whose step differs, would shift every field behind it."""
    assert header[expression] == PLACES[expression]


@pytest.mark.parametrize(("record", "name"), FIELDS)
def test_a_field_stands_where_the_compiler_puts_it(header: dict[str, int], record: Record, name: str) -> None:
    """Offset and size of each field that Python reads or writes."""
    field = record.fields[name]
    assert (field.offset, field.size) == (header[_offset(record, name)], header[_size(record, name)])


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_the_fields_of_a_record_do_not_overlap(record: Record) -> None:
    """Each has bytes of its own, all within the record and on the boundary that the processor wants."""
    fields = sorted(record.fields.values(), key=lambda field: field.offset)
    ends = [0, *(field.offset + field.size for field in fields)]
    assert all(end <= field.offset for end, field in zip(ends, fields, strict=False))
    assert ends[-1] <= record.size
    assert all(field.offset % struct.calcsize(field.format[-1]) == 0 for field in fields)


def test_a_size_does_not_depend_on_the_machine() -> None:
    """Native packing would give a long eight bytes here and four there."""
    assert Field(0, "L").size == 4
    assert Field(0, "16Q").size == 128


def test_a_record_is_unpacked_as_field_by_field() -> None:
    """In one step, whatever order its fields are declared in."""
    record = Record("any", 4, 32, {"b": Field(16, "I"), "a": Field(8, "Q"), "name": Field(20, "4s")})
    data = bytes(range(80))
    for index in (0, 1):
        begin = record.start + index * record.size
        fields = {
            name: field.packed.unpack_from(data, begin + field.offset)[0] for name, field in record.fields.items()
        }
        assert record.unpack(data, index) == fields
