"""The description is valid, has everything that is served, and answers are as it says, whatever is asked."""

from __future__ import annotations

import os
import re
from typing import Any

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance
from starlette.routing import Route
from world import World

from hetero.testing.fake import fake_node
from hetero.testing.reports import report
from hetero.web import openapi, records
from hetero.web.access import Open
from hetero.web.app import PREFIX, Dashboard, Kitchen
from hetero.web.queries import CardsQuery

EXAMPLES = int(os.environ.get("HETERO_FUZZ_EXAMPLES", "2"))
"""For each operation; `make test-web` asks more."""


def dashboard() -> Dashboard:
    """Of a cluster with a node, a pod that is placed and one that waits."""
    world = World()
    world.node(fake_node("a", 2))
    world.place("one", {"fake.example/npu": "1", "fake.example/npumem": "100"})
    world.place("two", {"fake.example/npu": "9"}, namespace="team")
    world.report(report(fake_node("a", 2), []))
    return Dashboard(Kitchen(world.state), Open())


BOARD = dashboard()
API = schemathesis.openapi.from_dict(BOARD.described)
API.app = BOARD.app


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Method, path, description."""
    return [(method, path, one) for path, ways in BOARD.described["paths"].items() for method, one in ways.items()]


def test_everything_that_is_served_is_described() -> None:
    """Each path and method, and nothing else."""
    served = {
        (method.lower(), route.path)
        for route in BOARD.app.routes
        if isinstance(route, Route) and route.path.startswith(PREFIX)
        for method in route.methods or ()
    }
    helped = {("get", f"{PREFIX}/openapi.json"), ("get", f"{PREFIX}/plan")}  # itself; and what says that it is a POST
    described = {(method, path) for method, path, _ in operations()}
    assert {one for one in served if one[0] != "head"} - helped == described


def test_the_description_is_valid() -> None:
    """Every schema is one, every reference leads somewhere, every operation has a name of its own."""
    text = msgspec.json.encode(BOARD.described).decode()
    schemas = BOARD.described["components"]["schemas"]
    assert set(re.findall(r'"#/components/schemas/(\w+)"', text)) <= set(schemas)
    for name in schemas:
        jsonschema_rs.Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})
    names = [one["operationId"] for _, _, one in operations()]
    assert len(set(names)) == len(names)
    for method, path, one in operations():
        assert one["summary"]
        parts = {found["name"] for found in one["parameters"] if found["in"] == "path"}
        assert parts == set(re.findall(r"{(\w+)}", path))
        assert {"200", "403"} <= set(one["responses"]), (method, path)
    assert BOARD.described["openapi"] == "3.1.0"


def test_every_field_and_parameter_is_explained() -> None:
    """By what the docstring of its struct says, where the page may want to know more than its name."""
    card = BOARD.described["components"]["schemas"]["Card"]
    assert card["description"] == "One device of one node."
    assert card["properties"]["slots_used"]["description"] == "Programs that are promised a place."
    [cards] = [one for _, path, one in operations() if path == f"{PREFIX}/cards"]
    told = {one["name"]: one.get("description", "") for one in cards["parameters"]}
    assert set(told) == {field.name for field in msgspec.structs.fields(CardsQuery)}
    assert all(told.values())


def test_attributes_are_read_from_docstrings() -> None:
    """Those of one line and of several; other text is left alone."""
    text = (
        "Says.\n\n    Attributes:\n        one: First\n            and more.\n        two: Second: with a colon.\n    "
    )
    assert openapi.attributes(text) == {"one": "First and more.", "two": "Second: with a colon."}
    assert openapi.attributes("Says.") == {}


def test_answers_decode_as_their_records() -> None:
    """What a program in Python would do with them."""
    from asking import Client

    client = Client(BOARD.app)
    for operation in openapi.operations(()):
        if operation.method == "get":
            client.get(f"{PREFIX}{operation.path}").read(operation.answer)
    assert client.get(f"{PREFIX}/overview").read(records.Overview).workloads == 1
    assert client.get(f"{PREFIX}/openapi.json").json() == BOARD.described
    client.close()


@pytest.mark.filterwarnings("ignore")
@API.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=EXAMPLES < 10,
)
def test_whatever_is_asked_is_answered_as_described(case: Any) -> None:
    """No defect of ours, no status that is not described, no answer of another shape."""
    case.call_and_validate(
        headers={"Host": "localhost"},
        checks=[not_a_server_error, status_code_conformance, response_schema_conformance],
    )
