"""Lpad's calls to platforms, and the simulated platforms' answers, are as the vendors publish them."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pytest
import yaml
from msgspec.structs import replace

from lpad.base.errors import LpadError
from lpad.provisioning.declared.platform_file import shipped
from provisioning.bench import WISH, soon
from provisioning.openapi_documents import VENDORS, Operation, document, operations, own_document, prefix

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.platform.request_and_answer import Request
    from provisioning.bench import Bench


def everything(bench: Bench, like: str) -> list[Request]:
    """Make every call that a platform file declares; return the requests that the platform received."""
    server = bench.platform(like)
    platform = bench.opened(server)
    wish = replace(WISH, imei="490154203237518")
    server.stock.order(eid=WISH.eid, reference="there", product="plan01s")
    if platform.can.orders:
        seen = platform.order(wish, deadline=soon())
        for _ in range(3):
            seen = platform.look(seen, deadline=soon())
    else:
        server.stock.look(server.stock.look(server.stock.reserved[0]))
        (seen,) = platform.find(wish, deadline=soon())
        seen = platform.look(seen, deadline=soon())
    platform.find(wish, deadline=soon())
    for act in (
        lambda: platform.products(deadline=soon()),
        lambda: platform.line_of(seen.iccid or "", deadline=soon()),
        lambda: platform.lines_of_tag("there", deadline=soon()),
        lambda: platform.activate(seen, wish, deadline=soon()),
        lambda: platform.activate_line(seen, deadline=soon()),
        lambda: platform.suspend(seen, deadline=soon()),
        lambda: platform.retire(seen, deadline=soon()),
        lambda: platform.release(seen, deadline=soon()),
    ):
        with suppress(LpadError):  # not every platform file declares the call
            act()
    return server.requests


def token_operations(like: str) -> list[Operation]:
    """Return KORE's call for a token, which has a separate document; empty for other platforms."""
    return [] if like != "kore" else [Operation("POST", "/api-services/v1/auth/token", {}, None, {200: None})]


def made_by(method: str, path: str, found: list[Operation]) -> Operation:
    """Return the only operation that a request matches."""
    (operation,) = [each for each in found if each.method == method and re.fullmatch(each.path, path)]
    return operation


def check(value: Any, schema: dict[str, Any]) -> None:
    """Check that a JSON value matches a schema."""
    errors = [str(each) for each in jsonschema_rs.validator_for(schema).iter_errors(value)]
    assert errors == [], value


@pytest.mark.parametrize("like", shipped())
def test_every_call_is_published(bench: Bench, like: str) -> None:
    """Method, path, parameters and body of each request are as published, and no callback is requested."""
    found = operations(document(like), prefix(like)) + token_operations(like)
    for each in everything(bench, like):
        operation = made_by(each.method, each.path, found)
        assert {*each.query} <= {*operation.parameters}, operation
        for name, value in each.query.items():
            schema = operation.parameters[name]
            check(int(value) if schema["allOf"][0].get("type") == "integer" else value, schema)
        if operation.body is not None:
            check(each.form if each.json is None else each.json, operation.body)
        assert not any("callback" in name.lower() for name in (*each.query, *each.form, *(each.json or {})))


@pytest.mark.parametrize("like", shipped())
def test_lpads_own_document_has_every_call(bench: Bench, like: str) -> None:
    """Lpad makes each call in its own document of a platform."""
    own = operations(own_document(like), prefix(like))
    made = {
        (each.method, operation.path)
        for each in everything(bench, like)
        for operation in own
        if each.method == operation.method and re.fullmatch(operation.path, each.path)
    }
    unmade = [(each.method, each.path) for each in own if (each.method, each.path) not in made]
    assert unmade == []


@pytest.mark.test_data
@pytest.mark.parametrize("like", VENDORS)
def test_lpads_own_document_agrees_with_the_vendors(like: str) -> None:
    """The calls in lpad's own document have the parameters, fields and answers of the vendor's."""
    theirs = operations(document(like), prefix(like))
    for each in operations(own_document(like), prefix(like)):
        (match,) = [one for one in theirs if (one.method, one.path) == (each.method, each.path)]
        assert {*each.parameters} == {*match.parameters}
        assert {*each.answers} <= {*match.answers}
        assert _fields(each.body) == _fields(match.body), each.path
        for status, answer in each.answers.items():
            assert _fields(answer) == _fields(match.answers[status]), (each.path, status)


@pytest.mark.test_data
def test_kores_token_is_as_published(bench: Bench, test_data: Path) -> None:
    """Lpad's request for a token of KORE has path, form and answer as published."""
    theirs = yaml.safe_load((test_data / "platforms" / "kore_token_api_v1.yaml").read_text())
    found = operations(theirs, "/api-services")
    everything(bench, "kore")
    token = bench.exchanges[0]
    request = next(each for each in bench.exchanges if each.url.endswith("/auth/token"))
    assert token == request
    operation = made_by(request.method, request.url.partition("korewireless.com")[2], found)
    sent = dict(each.split("=", 1) for each in request.request_body.decode().split("&"))
    assert operation.body is not None
    check(sent, operation.body)
    answer = operation.answers[request.status]
    assert answer is not None
    check(json.loads(request.answer_body), answer)


@pytest.mark.parametrize("like", shipped())
def test_answers_are_as_published(bench: Bench, like: str) -> None:
    """The simulated platform's answers have a published status, and match its schema."""
    found = operations(document(like), prefix(like)) + token_operations(like)
    everything(bench, like)
    checked = 0
    for each in bench.exchanges:
        path = "/" + each.url.partition("?")[0].split("/", 3)[3]
        operation = made_by(each.method, path, found)
        if each.status >= 400:
            continue
        assert each.status in operation.answers, operation
        answer = operation.answers[each.status]
        if answer is not None:
            check(json.loads(each.answer_body), answer)
            checked += 1
    assert checked > 2


def _fields(schema: dict[str, Any] | None) -> set[str]:
    """Return the names of all fields in a schema, at any depth; empty for None."""
    found: set[str] = set()
    if schema is None:
        return found
    components = schema["components"]["schemas"]
    waiting: list[Any] = [schema["allOf"]]
    while waiting:
        each = waiting.pop()
        if isinstance(each, list):
            waiting += each
        elif isinstance(each, dict):
            if isinstance(each.get("properties"), dict):
                found |= {*each["properties"]}
                waiting += each["properties"].values()
            if isinstance(each.get("$ref"), str):
                waiting.append(components[each["$ref"].rpartition("/")[2]])
            waiting += [each[name] for name in ("allOf", "anyOf", "oneOf", "items") if name in each]
    return found
