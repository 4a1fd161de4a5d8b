"""Manifests from files: any YAML gives pods or a sentence, never another exception."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hetero.admission.asks import pod_ask
from hetero.cli.context import read_yaml
from hetero.cli.manifests import read_documents, read_pods
from hetero.errors import InvalidConfiguration, InvalidRequest, UserError
from hetero.testing.fake import fake_vendor

if TYPE_CHECKING:
    from tests.cli.commands.conftest import PodMaker, Write

NOT_YAML = {
    "unclosed list": "a: [1",
    "tab": "a:\n\t- 1",
    "a mapping in a word": "a: b: c",
    "unknown tag": "a: !vendor x",
    "a Python object": "a: !!python/object/apply:os.system [true]",
    "unknown alias": "a: *b",
    "a 13th month": "a: 2024-13-01",
    "no whole number": "a: !!int x",
    "an empty whole number": "a: !!int ''",
    "no truth": "a: !!bool maybe",
    "no time": "a: !!timestamp soon",
    "no number": "a: !!float x",
    "a number without end": "a: " + "1" * 5000,
    "a list as a key": "? [a]\n: b",
    "nested without end": "[" * 1000,
    "a control character": "a: \x01",
}


@pytest.mark.parametrize("text", NOT_YAML.values(), ids=NOT_YAML.keys())
@pytest.mark.parametrize("read", [read_yaml, read_documents, read_pods])
def test_what_cannot_be_read_is_one_line_with_the_file(write: Write, read: Callable[[Path], Any], text: str) -> None:
    """Whatever the YAML reader lets out becomes one sentence."""
    path = write(text)
    with pytest.raises(InvalidConfiguration) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: is ")
    assert len(str(caught.value).splitlines()) == 1


def test_a_document_without_end_is_called_so(write: Write) -> None:
    """Python's own words for it would send the user looking for a defect of hetero."""
    with pytest.raises(InvalidConfiguration, match="is nested too deeply to be read"):
        read_yaml(write("{a: " * 1000))


def test_the_sentence_has_line_and_column(write: Write) -> None:
    """Editors jump to them."""
    with pytest.raises(InvalidConfiguration, match="in line 3, column 1"):
        read_documents(write("kind: Pod\nmetadata:\n\tname: x\n"))


@pytest.mark.parametrize("read", [read_yaml, read_documents])
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path, read: Callable[[Path], Any]) -> None:
    """Missing, a directory, or no text at all."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00a")
    for name, reason in {"missing": "No such file", ".": "Is a directory", "binary": "is no text"}.items():
        with pytest.raises(InvalidConfiguration, match=reason):
            read(tmp_path / name)


def test_the_pods_of_all_documents_of_all_files_come_in_order(write: Write, pod: PodMaker) -> None:
    """As ``kubectl apply`` would make them; empty documents and other objects are passed over."""
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}}
    first = write(pod("a"), "", service, pod("b"), name="first.yaml")
    second = write(pod("c"), name="second.yaml")
    pods = read_pods(first, second)
    assert [one.name for one in pods] == ["a", "b", "c"]
    assert [one.source for one in pods] == ["first.yaml, document 1", "first.yaml, document 4", "second.yaml"]


def test_the_problems_of_all_documents_are_told_together_each_with_its_place(write: Write, pod: PodMaker) -> None:
    """Nobody likes to fix a file one line per run; and equal problems of two pods stay two."""
    nameless = pod()
    del nameless["metadata"]["name"]
    with pytest.raises(InvalidRequest) as caught:
        read_pods(write(nameless, pod("good"), nameless, name="many.yaml"), write(nameless, name="one.yaml"))
    assert [problem.field for problem in caught.value.problems] == [
        "many.yaml, document 1: metadata.name",
        "many.yaml, document 3: metadata.name",
        "one.yaml: metadata.name",
    ]


@pytest.mark.parametrize("document", ["5", "[]", "[1]", "text", "false"])
def test_a_document_that_is_no_object_is_refused(write: Write, document: str) -> None:
    """Only an empty document is passed over: anything else was meant to be something."""
    with pytest.raises(InvalidRequest, match="is no object"):
        read_pods(write(document))


def test_a_dash_is_standard_input(write: Write, pod: PodMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """``kubectl get -o yaml | hetero plan -f -``; the pods come from wherever standard input does."""
    path = write(pod("piped"))
    read_text = Path.read_text
    monkeypatch.setattr(
        Path, "read_text", lambda self, **kinds: read_text(path if str(self) == "/dev/stdin" else self, **kinds)
    )
    assert [one.name for one in read_pods(Path("-"))] == ["piped"]


def _read(path: Path) -> str:
    """Reads all that ``hetero plan`` reads of a manifest: how many pods there are, or what the user is told."""
    try:
        return str(len([pod_ask(one, {"fake": fake_vendor()}) for one in read_pods(path)]))
    except UserError as error:
        return str(error)


@given(data=st.data())
def test_a_malformed_manifest_gives_a_sentence_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, mutated: Callable[[Any], st.SearchStrategy[Any]], data: st.DataObject
) -> None:
    """One place of a good manifest holds any value of YAML: pods, or a typed error of the user, whose text prints."""
    container = {"name": "c", "command": ["x"], "env": [{"name": "A", "value": "b"}]}
    limits = {"limits": {"fake.example/npu": 1, "fake.example/npumem": 1, "cpu": "500m"}}
    template = {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{**container, "resources": limits}]}}
    good = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "n"},
        "spec": {"replicas": 2, "template": template},
    }
    path = tmp_path_factory.getbasetemp() / "mutated.yaml"
    path.write_text(yaml.safe_dump(data.draw(mutated(good))), encoding="utf-8")
    assert _read(path)


@given(text=st.text(alphabet=st.sampled_from("ab:[]{}-?!&*'\"|>%@#, \n\t0129.~eE")))
def test_any_text_gives_a_sentence_and_nothing_else(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """YAML's own characters in any order."""
    path = tmp_path_factory.getbasetemp() / "text.yaml"
    path.write_text(text)
    assert _read(path)
