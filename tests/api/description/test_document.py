"""The OpenAPI document contains everything that client generators and readers of the reference need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest

from lpad.api.openapi import document
from lpad.api.routes import ROUTES
from lpad.base.errors import details_by_kind

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = document(ROUTES)
SCHEMAS = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    operation["operationId"]: operation
    for methods in DOCUMENT["paths"].values()
    for operation in methods.values()
}
PICTURE = "image/png"


def contents(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the media types of an operation's requests and successful answers, each with its content."""
    yield from operation.get("requestBody", {}).get("content", {}).items()
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            yield from answer["content"].items()


LEFT_OUT = {
    "AskedSmds": {"error", "kind"},
    "NetworkFailure": {"cause"},
    "ProfileView": {"raw_iccid"},
    "ShownEvent": {"change", "iccid", "why"},
    "ShownProfile": {"raw_iccid", "whole"},
}
"""Fields that an answer omits if they are empty, in addition to those of details, params and results."""


def named(schema: object) -> Iterator[str]:
    """Yield the names of all schemas that a schema refers to, directly or through others."""
    ahead, found = [schema], set()
    while ahead:
        each = ahead.pop()
        if isinstance(each, dict):
            name = str(each.get("$ref", "")).rpartition("/")[2]
            if name and name not in found:
                found.add(name)
                ahead.append(SCHEMAS[name])
                yield name
            ahead += each.values()
        elif isinstance(each, list):
            ahead += each


def test_the_document_has_each_operation_once() -> None:
    """Each operation ID occurs once, because it is the name of a function in generated clients."""
    assert len(OPERATIONS) == len(ROUTES)


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_operation_is_described(name: str) -> None:
    """Each operation has a summary, description and described tag, and the problems that any call can get."""
    operation = OPERATIONS[name]
    assert operation["summary"].endswith(".")
    assert len(operation["description"]) > 40
    assert operation["summary"] not in operation["description"]
    (tag,) = operation["tags"]
    assert tag in [each["name"] for each in DOCUMENT["tags"] if each["description"]]
    assert all(each["description"] for each in operation["parameters"])
    assert {"400", "403", "408", "500", "503"} <= operation["responses"].keys()


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_example_has_the_form_of_its_schema(name: str) -> None:
    """Each request and each answer, except a picture, has an example that fits its schema."""
    for media_type, content in contents(OPERATIONS[name]):
        if media_type.startswith("image/"):
            continue
        whole = {"components": DOCUMENT["components"], "allOf": [content["schema"]]}
        jsonschema_rs.Draft202012Validator(whole, validate_formats=True).validate(content["example"])


def test_no_request_carries_credentials() -> None:
    """The document states explicitly that requests need no credentials."""
    assert DOCUMENT["security"] == []
    assert "credentials" in DOCUMENT["info"]["description"]


def test_a_default_is_for_requests() -> None:
    """Only the schemas of requests state defaults, for fields that may be left out."""
    asked = {each for name in OPERATIONS for each in named(OPERATIONS[name].get("requestBody"))}
    assert asked
    with_default = 0
    for name, schema in SCHEMAS.items():
        for field, shown in schema.get("properties", {}).items():
            if name in asked:
                assert not ("default" in shown and field in schema.get("required", ()))
                with_default += "default" in shown
            else:
                assert "default" not in shown, f"{name}.{field}"
    assert with_default > 10


def test_an_answer_has_its_fields() -> None:
    """The schemas of answers require all fields, except those in LEFT_OUT, details, params and results."""
    answers = {each for name in OPERATIONS for each in named(OPERATIONS[name]["responses"])}
    left_out = {
        name: frozenset(SCHEMAS[name]["properties"]) - set(SCHEMAS[name].get("required", ()))
        for name in answers
        if "properties" in SCHEMAS[name] and not name.endswith(("Details", "Params", "Result"))
    }
    assert len(left_out) > 40
    assert {name: fields for name, fields in left_out.items() if fields} == LEFT_OUT
    result = SCHEMAS["SwitchResult"]
    assert {"iccid", "already"} == set(result["required"]), "the others are left out while they are empty"


def test_dates_and_numbers_have_a_format() -> None:
    """The document gives each date the format `date-time`, and each whole number the format `int64`."""
    dates = 0
    for name, schema in SCHEMAS.items():
        for field, shown in schema.get("properties", {}).items():
            forms = [shown, *shown.get("anyOf", ())]
            if field.endswith("_at") or (name, field) in {("Step", "at"), ("Question", "until")}:
                assert "date-time" in [each.get("format") for each in forms], f"{name}.{field}"
                dates += 1
            for each in forms:
                if each.get("type") == "integer" and "enum" not in each:
                    assert each["format"] == "int64", f"{name}.{field}"
    assert dates > 20


def test_each_error_has_a_type() -> None:
    """The schema of each problem allows the problem's status; a change's error has a schema for each kind."""
    for operation in OPERATIONS.values():
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            (ref,) = (each["schema"]["$ref"] for each in answer["content"].values())
            kinds = SCHEMAS[ref.rpartition("/")[2]]
            for problem in map(SCHEMAS.get, [each for each in named({"$ref": ref}) if "Problem" in each]):
                if problem is None or "oneOf" in problem:
                    continue
                assert int(status) in problem["properties"]["status"]["enum"]
                assert set(problem["required"]) >= {"kind", "status", "detail", "details"}
            assert "oneOf" in kinds or "properties" in kinds
    failure = SCHEMAS["Failure"]
    assert failure["discriminator"]["mapping"].keys() == details_by_kind().keys()
