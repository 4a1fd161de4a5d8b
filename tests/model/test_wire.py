"""Stored records: what is written is read again, by this release and by those beside it, or refused by name."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hetero.model
from hetero.enforcement.limits import Limits
from hetero.errors import WireError
from hetero.model import wire
from hetero.model.share import Reason, Refusal, Share

MODULES = [importlib.import_module(f"hetero.model.{one.name}") for one in pkgutil.iter_modules(hetero.model.__path__)]
RECORDS = [
    Limits,
    *(
        kind
        for module in MODULES
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module.__name__
    ),
]
SHARE = Share(quantities={"slots": 1, "memory": 1024, "cores": 30})
GOOD = wire.encode(SHARE)

FINITE = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no others
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | FINITE | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def records(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Records of a kind with every field filled, those with a default too."""
    return st.builds(kind, **{name: _values(hint) for name, hint in get_type_hints(kind).items()})


def _values(hint: object) -> st.SearchStrategy[Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    plain: dict[object, st.SearchStrategy[Any]] = {Any: JSON, float: FINITE}
    if hint in plain:
        return plain[hint]
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return records(hint)
    if origin is tuple:
        return st.lists(_values(arguments[0]), max_size=2).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(_values(arguments[0]), _values(arguments[1]), max_size=2)
    if origin in (UnionType, Union):
        return st.one_of(*map(_values, arguments))
    return st.from_type(hint)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_what_is_written_is_read_again(kind: type[msgspec.Struct]) -> None:
    """Every kind of record, with any content, on one line, from text as from bytes."""

    @settings(max_examples=25, deadline=None)
    @given(records(kind))
    def check(record: msgspec.Struct) -> None:
        text = wire.encode(record)
        assert "\n" not in text
        assert wire.decode(text, kind) == record
        assert wire.decode(text.encode(), kind) == record
        assert wire.encode(wire.decode(text, kind)) == text

    check()


@pytest.mark.parametrize("kind", RECORDS, ids=lambda kind: kind.__name__)
def test_kinds_cannot_be_mixed_up(kind: type[msgspec.Struct]) -> None:
    """Each kind has a word of its own, so that no record is read as another."""
    others = [other for other in RECORDS if other is not kind]
    words = {other.__name__.lower() for other in others}
    assert kind.__name__.lower() not in words
    for other in others[:3]:
        with pytest.raises(WireError, match=f"not a {kind.__name__.lower()}: it has {other.__name__.lower()}, v"):
            wire.decode(json.dumps({"v": 1, other.__name__.lower(): {}}), kind)


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
        ('{"v": 0, "share": {"quantities": {}}}', "version 0 cannot be read"),
        ('{"v": "1", "share": {"quantities": {}}}', "version '1' cannot be read"),
        ('{"v": true, "share": {"quantities": {}}}', "version True cannot be read"),
        ('{"v": 1.0, "share": {"quantities": {}}}', r"version 1\.0 cannot be read"),
        ('{"v": 2}', "a share of version 2 cannot be read"),
        ('{"share": {"quantities": {}}}', "version None cannot be read"),
        ('{"v": 1, "refusal": {}}', "not a share: it has refusal, v"),
        ('{"v": 1, "share": {"quantities": {"slots": "one"}}}', "a damaged share"),
        ('{"v": 1, "share": {}}', "a damaged share"),
        ('{"v": 1, "share": null}', "a damaged share"),
        ('{"v": 1, "share": []}', "a damaged share"),
        ('{"v": 1, "Share": {"quantities": {}}}', "not a share: it has Share, v"),
        ('{"v": 1, "share": {"quantities": {"slots": 1e999}}}', "not a stored record"),
        ('{"v": 1, "share": {"quantities": {}}} more', "not a stored record"),
        ('{"v": 1, "\ud800": {}}', "not a stored record"),
        (b'{"v": 1, "share": {"quantities": {"\xff": 1}}}', "not a stored record"),
        (b'{"v": 1, "\xff": {}}', "not a stored record"),
        ("[1]", "not a stored record"),
        ("null", "not a stored record"),
        ("", "not a stored record"),
        ("{", "not a stored record"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text: str | bytes, sentence: str) -> None:
    """The sentence says what was expected and what is there."""
    with pytest.raises(WireError, match=sentence):
        wire.decode(text, Share)


@pytest.mark.parametrize(
    "text", ['{"v": ' + "[" * 100_000, '{"v": ' + "9" * 5000 + ', "share": {}}'], ids=["deep", "long"]
)
def test_damage_does_not_exhaust_the_reader(text: str) -> None:
    """Lists in lists without end, or a number of thousands of digits, are damage like any other."""
    with pytest.raises(WireError, match="not a stored record"):
        wire.decode(text, Share)


@given(st.binary(max_size=60))
def test_damage_is_always_the_same_error(data: bytes) -> None:
    """Whatever bytes an annotation or a file holds."""
    with pytest.raises(WireError):
        wire.decode(data, Share)


@given(st.text(st.characters(), max_size=60))
def test_no_text_raises_another_error(text: str) -> None:
    """Whatever characters, those that no encoding has among them."""
    with pytest.raises(WireError):
        wire.decode(text, Share)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=3))
def test_a_record_with_one_damaged_place_is_read_or_refused(at: int, damage: bytes) -> None:
    """A few bytes overwritten in a sound record: never another error than ours."""
    data = GOOD.encode()
    assert isinstance(read(data[:at] + damage + data[at + len(damage) :]), Share | WireError)


@given(st.dictionaries(st.sampled_from(["v", "share", "x"]), JSON | st.just(1), max_size=3))
def test_any_object_is_read_or_refused(envelope: dict[str, Any]) -> None:
    """JSON that something else has written."""
    assert isinstance(read(json.dumps(envelope, allow_nan=False)), Share | WireError)


@given(st.dictionaries(st.text(min_size=1, max_size=8), JSON, max_size=3))
def test_any_added_field_is_ignored(added: dict[str, Any]) -> None:
    """Beside the record and in it, of any name that this release does not have."""
    known = {"v", "share", "quantities", "template"}
    more = {name: value for name, value in added.items() if name not in known}
    envelope = {**more, "v": 1, "share": {**more, "quantities": {"slots": 1}}}
    assert wire.decode(msgspec.json.encode(envelope), Share) == Share(quantities={"slots": 1})


@given(st.text(max_size=40), st.integers(0, 200))
def test_a_cut_record_is_damaged(filler: str, at: int) -> None:
    """A file that was not finished is never taken for a whole one."""
    text = wire.encode(Refusal(reason=Reason.UNHEALTHY, message=filler))
    if at < len(text):
        with pytest.raises(WireError):
            wire.decode(text[:at], Refusal)


@given(st.integers().filter(lambda number: number != wire.VERSION))
def test_every_other_version_is_refused(version: int) -> None:
    """Before anything else is looked at: an unknown version may have kept the names and changed the meaning."""
    with pytest.raises(WireError, match="this release reads version 1"):
        wire.decode(json.dumps({"v": version, "share": {"quantities": {}}}), Share)


def read(data: str | bytes) -> Share | WireError:
    """The share, or our error."""
    try:
        return wire.decode(data, Share)
    except WireError as error:
        return error
