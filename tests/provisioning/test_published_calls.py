"""Every call that lpad makes is one that the vendor publishes, with fields that the vendor knows."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from lpad.base.errors import LpadError
from lpad.provisioning.platform_file import shipped
from provisioning.bench import WISH, soon
from provisioning.published_calls import PUBLISHED

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.platform.http_message import Request
    from provisioning.bench import Bench

FILES = {
    "twilio": ("twilio_supersim_esim.openapi.json", ""),
    "kore": ("kore_supersim_esim.openapi.json", ""),
    "soracom": ("soracom_esim_orders.openapi.json", "/v1"),
}


def everything(bench: Bench, like: str) -> list[Request]:
    """Make every call that a description declares; return the requests as they arrived."""
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
        lambda: platform.activate(seen, wish, deadline=soon()),
        lambda: platform.suspend(seen, deadline=soon()),
        lambda: platform.retire(seen, deadline=soon()),
        lambda: platform.release(seen, deadline=soon()),
    ):
        with suppress(LpadError):  # not every description declares it
            act()
    return server.requests


def makes(request: Request, call: tuple[str, str]) -> bool:
    """Whether a request is a published call."""
    pattern = re.escape(call[1]).replace(re.escape("{}"), "[^/]+")
    return call[0] == request.method and re.fullmatch(pattern, request.path) is not None


@pytest.mark.parametrize("like", shipped())
def test_every_call_is_published(bench: Bench, like: str) -> None:
    """Method, path, parameters and fields of each request are the vendor's, and each call is made."""
    requests = everything(bench, like)
    for each in requests:
        (call,) = [call for call in PUBLISHED[like] if makes(each, call)]
        form = {} if each.json is not None else each.form
        sent = {*each.query, *(each.json or {}), *form}
        assert sent <= PUBLISHED[like][call], call
    unmade = [call for call in PUBLISHED[like] if not any(makes(each, call) for each in requests)]
    assert unmade == []


@pytest.mark.test_data
@pytest.mark.parametrize("like", FILES)
def test_what_is_published(test_data: Path, like: str) -> None:
    """The table of calls is the vendor's own description."""
    file, prefix = FILES[like]
    theirs = _calls(json.loads((test_data / "platforms" / file).read_text()), prefix)
    if like == "kore":
        token = yaml.safe_load((test_data / "platforms" / "kore_token_api_v1.yaml").read_text())
        theirs |= _calls(token, "/api-services")
    for call, fields in PUBLISHED[like].items():
        assert fields == theirs[call], call


def _calls(document: dict[str, Any], prefix: str) -> dict[tuple[str, str], set[str]]:
    found = {}
    for path, item in document["paths"].items():
        for method in {*item} & {"get", "post", "put", "patch", "delete"}:
            operation = item[method]
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            names = {each["name"] for each in parameters if each["in"] == "query"}
            for content in operation.get("requestBody", {}).get("content", {}).values():
                names |= {*_resolved(content["schema"], document).get("properties", {})}
            found[method.upper(), prefix + re.sub(r"\{[^}]*\}", "{}", path)] = names
    return found


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
    return schema


@pytest.mark.test_data
@pytest.mark.parametrize("like", FILES)
def test_answers_are_as_the_vendor_says(bench: Bench, test_data: Path, like: str) -> None:
    """The simulated platform's answers have the fields, words and required parts of the vendor's schemas."""
    file, prefix = FILES[like]
    document = json.loads((test_data / "platforms" / file).read_text())
    everything(bench, like)
    checked = 0
    for exchange in bench.exchanges:
        path = "/" + exchange.url.partition("?")[0].split("/", 3)[3]
        for pattern, item in document["paths"].items():
            whole = prefix + re.sub(r"\{[^}]*\}", "[^/]+", pattern)
            operation = item.get(exchange.method.lower())
            if operation is None or not re.fullmatch(whole, path):
                continue
            answer = operation["responses"].get(str(exchange.status))
            assert answer is not None, (exchange.method, path, exchange.status)
            content = answer.get("content", {}).get("application/json")
            if content is not None and "schema" in content:
                _check(json.loads(exchange.answer_body), content["schema"], document)
                checked += 1
    assert checked > 3


def _check(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    nullable = schema.get("nullable")
    schema = _resolved(schema, document)
    if value is None:
        assert nullable or schema.get("nullable"), schema
    elif "enum" in schema:
        assert value in schema["enum"]
    elif schema.get("type") == "array":
        for each in value:
            _check(each, schema["items"], document)
    elif schema.get("type") == "object" and "properties" in schema:
        assert {*schema.get("required", [])} <= {*value}
        for name, inner in value.items():
            assert name in schema["properties"], name
            _check(inner, schema["properties"][name], document)
