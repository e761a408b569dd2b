"""Requests that schemathesis makes from the platforms' OpenAPI documents, to simulated platforms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi import checks

from lpad.provisioning.declared.platform_file import shipped
from lpad.simulator.platform import platform_kinds
from provisioning.bench import EID, Bench
from provisioning.openapi_documents import document, prefix
from provisioning.platform_adapter import session_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import requests

    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.platform.server import SimulatedPlatform

_BY_EXPERIENCE = ("POST", "/v1/Sims")
"""The call that registers a physical SIM, which the simulated platform does not have."""


class Double:
    """A simulated platform with existing objects, and a session with its credentials."""

    def __init__(self, bench: Bench, like: str) -> None:
        self.server: SimulatedPlatform = bench.platform(like)
        self.session = session_for(self.server, bench.ca)
        self.session.auth = _AUTH[like](self)
        self.prefix = prefix(like)

    def names(self, path: str) -> dict[str, str]:
        """Make a reservation, and return the values of its path parameters."""
        each = self.server.stock.order(eid=EID, reference=secrets.token_hex(8), product="plan01s")
        while each.placed is None:
            self.server.stock.look(each)
        return {
            "Sid": f"HS{each.line_id}" if "/Sims" in path else f"HP{each.id}",
            "id": each.id,
            "profile_order_id": each.id,
            "reference": each.reference,
            "iccid": each.placed.iccid,
        }

    def token(self, path: str, **body: Any) -> dict[str, Any]:
        """Request a token, and return the answer."""
        answer = self.session.post(
            f"https://{self.server.vendor.hosts[-1]}{path}", auth=lambda each: each, **body
        )
        found: dict[str, Any] = answer.json()
        return found


def _headers(make: Callable[[Double], dict[str, str]]) -> Callable[[Double], Callable[[Any], Any]]:
    def auth(double: Double) -> Callable[[Any], Any]:
        headers = make(double)

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers.update(headers)
            return request

        return sign

    return auth


def _kore(double: Double) -> dict[str, str]:
    form = {"grant_type": "client_credentials", **platform_kinds.CREDENTIALS["kore"]}
    return {
        "Authorization": f"Bearer {double.token('/api-services/v1/auth/token', data=form)['access_token']}"
    }


def _soracom(double: Double) -> dict[str, str]:
    known = platform_kinds.CREDENTIALS["soracom"]
    token = double.token("/v1/auth", json={"authKeyId": known["key_id"], "authKey": known["key"]})
    return {"X-Soracom-API-Key": token["apiKey"], "X-Soracom-Token": token["token"]}


def _yoni(_: Double) -> Callable[[Any], Any]:
    known = platform_kinds.CREDENTIALS["yoni"]

    def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
        moment = str(round(time.time() * 1000))
        text = f"{known['app_id']}&{moment}&{urlsplit(str(request.url)).path}"
        mac = hmac.new(known["app_secret"].encode(), text.encode(), hashlib.sha256).hexdigest()
        request.headers.update({"appId": known["app_id"], "timestamp": moment, "sign": mac})
        return request

    return sign


_AUTH: dict[str, Callable[[Double], Any]] = {
    "desk": _headers(lambda _: {"Authorization": f"Bearer {platform_kinds.CREDENTIALS['desk']['key']}"}),
    "kore": _headers(_kore),
    "soracom": _headers(_soracom),
    "telnyx": _headers(
        lambda _: {"Authorization": f"Bearer {platform_kinds.CREDENTIALS['telnyx']['api_key']}"}
    ),
    "things": _headers(lambda _: {"Authorization": f"Token {platform_kinds.CREDENTIALS['things']['key']}"}),
    "twilio": lambda _: tuple(platform_kinds.CREDENTIALS["twilio"].values()),
    "yoni": _yoni,
}


@pytest.fixture(scope="module")
def doubles(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[Callable[[str], Double]]:
    """A function that returns a platform's double, which is started at its first use."""
    with ExitStack() as stack:
        bench = Bench(pki, tmp_path_factory.mktemp("schemas"), stack)
        known: dict[str, Double] = {}

        def double(like: str) -> Double:
            if like not in known:
                known[like] = Double(bench, like)
            return known[like]

        yield double


def operations_of(like: str) -> list[Any]:
    """Return the operations of a platform's document that its double has."""
    schema = schemathesis.openapi.from_dict(document(like))
    host = platform_kinds.VENDORS[like].hosts[0]
    schema.config.update(base_url=f"https://{host}{prefix(like)}")
    results: list[Any] = list(schema.get_all_operations())
    return [
        each
        for each in (result.ok() for result in results)
        if (each.method.upper(), each.path) != _BY_EXPERIENCE
    ]


@pytest.mark.parametrize(
    ("like", "operation"),
    [
        pytest.param(like, each, id=f"{like} {each.method.upper()} {each.path}")
        for like in shipped()
        for each in operations_of(like)
    ],
)
def test_the_double_answers_as_published(doubles: Callable[[str], Double], like: str, operation: Any) -> None:
    """A double answers no request with 5xx, and its successful answers are as published."""
    double = doubles(like)
    good = 0

    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        nonlocal good
        # A platform knows no made-up name, so every other request uses existing names.
        if good % 2 == 0:
            case.path_parameters.update(
                {name: double.names(operation.path)[name] for name in case.path_parameters}
            )
        response = case.call(session=double.session, verify=double.session.verify)
        good += 1
        assert response.status_code < 500
        if response.status_code < 400:
            case.validate_response(
                response,
                checks=[
                    checks.status_code_conformance,
                    checks.content_type_conformance,
                    checks.response_schema_conformance,
                ],
            )

    ask()
    assert good > 0
