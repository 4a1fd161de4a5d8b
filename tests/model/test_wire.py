"""Stored records: what is written is read again, by this release and by those beside it, or refused by name."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hetero.enforcement.limits import Limits
from hetero.errors import WireError
from hetero.model import wire
from hetero.model.allocation import ContainerEdits, Slice
from hetero.model.ask import Ask, PodAsk
from hetero.model.device import Device, Inventory, Sample
from hetero.model.placement import Placement, Unplaced
from hetero.model.share import Reason, Refusal, Share

RECORDS = [Ask, ContainerEdits, Device, Inventory, Limits, Placement, PodAsk, Refusal, Sample, Share, Slice, Unplaced]
SHARE = Share(quantities={"slots": 1, "memory": 1024, "cores": 30})


def records(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Records of a kind with every field filled, those with a default too."""
    return st.builds(kind, **{name: _values(hint) for name, hint in get_type_hints(kind).items()})


def _values(hint: object) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return records(hint)
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    return st.from_type(hint)  # type: ignore[arg-type]


@given(st.sampled_from(RECORDS).flatmap(records))
def test_what_is_written_is_read_again(record: msgspec.Struct) -> None:
    """Every kind of record, with any content, on one line."""
    text = wire.encode(record)
    assert "\n" not in text
    assert wire.decode(text, type(record)) == record


def test_the_envelope_says_version_and_kind() -> None:
    """A reader of a dump sees what it has before it."""
    assert json.loads(wire.encode(SHARE)) == {
        "v": 1,
        "share": {"quantities": {"slots": 1, "memory": 1024, "cores": 30}, "template": ""},
    }


def test_equal_records_give_equal_text() -> None:
    """The order in which quantities were put in does not show: nothing is written when nothing changed."""
    turned = Share(quantities={"cores": 30, "memory": 1024, "slots": 1})
    assert wire.encode(turned) == wire.encode(SHARE)


def test_a_newer_writers_field_is_ignored() -> None:
    """Fields may be added within a version."""
    text = '{"v": 1, "share": {"quantities": {"slots": 1}, "colour": "blue"}, "note": "added"}'
    assert wire.decode(text, Share) == Share(quantities={"slots": 1})


def test_an_older_writers_missing_field_has_its_default() -> None:
    """And an older record stays readable."""
    assert wire.decode('{"v": 1, "share": {"quantities": {}}}', Share).template == ""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"v": 2, "share": {"quantities": {}}}', "version 2 cannot be read; this release reads version 1"),
        ('{"share": {"quantities": {}}}', "version None cannot be read"),
        ('{"v": 1, "refusal": {}}', "not a share: it has refusal, v"),
        ('{"v": 1, "share": {"quantities": {"slots": "one"}}}', "a damaged share"),
        ('{"v": 1, "share": {}}', "a damaged share"),
        ("[1]", "not a stored record"),
        ("", "not a stored record"),
        ("{", "not a stored record"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text: str, sentence: str) -> None:
    """The sentence says what was expected and what is there."""
    with pytest.raises(WireError, match=sentence.replace("(", r"\(")):
        wire.decode(text, Share)


@given(st.binary(max_size=60))
def test_damage_is_always_the_same_error(data: bytes) -> None:
    """Whatever bytes an annotation or a file holds."""
    with pytest.raises(WireError):
        wire.decode(data, Share)


@given(st.text(max_size=40), st.integers(0, 200))
def test_a_cut_record_is_damaged(filler: str, at: int) -> None:
    """A file that was not finished is never taken for a whole one."""
    text = wire.encode(Refusal(reason=Reason.UNHEALTHY, message=filler))
    if at < len(text):
        with pytest.raises(WireError):
            wire.decode(text[:at], Refusal)
