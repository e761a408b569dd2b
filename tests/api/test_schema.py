"""Schemathesis checks the answers to valid and invalid requests against the OpenAPI document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from api.gateway import Gateway
from api.unix_adapter import UnixAdapter
from engine.lab import CARD, Lab
from lpad.api.openapi import document
from lpad.api.request.api_call import LONGEST_WAIT
from lpad.api.routes import ROUTES
from lpad.base.errors import InvalidValue
from lpad.base.identifiers import profile_target
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

schema = schemathesis.openapi.from_dict(document(ROUTES))
schema.config.update(base_url="http://lpad")
schema.config.max_stream_events = 1  # One event is enough of an event stream, which does not end.


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, pki: Pki) -> Iterator[requests.Session]:
    """Yield an HTTP session with a real server on a real socket, whose card has a profile."""
    folder: Path = tmp_path_factory.mktemp("schema")
    with Lab(folder, pki) as lab, Gateway(lab) as gateway, requests.Session() as made:
        lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
        lab.install()
        made.mount("http://lpad", UnixAdapter(gateway.path))
        yield made


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_in_the_document(case: schemathesis.Case[Any], session: requests.Session) -> None:
    """No answer is a 5xx, or has a status, header, media type or body that the document does not name."""
    if "name" in case.path_parameters:
        case.path_parameters["name"] = CARD
    if 1 < _number(case.query.get("wait")) <= LONGEST_WAIT:
        case.query["wait"] = 1
    # A schema cannot check an activation code or an address: a request with a wrong one fits, but gets 400.
    case.call_and_validate(session=session, excluded_checks=[positive_data_acceptance])


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0


@pytest.mark.parametrize(
    "name",
    [
        "1",
        "8944",
        "898600B5000000E00015",
        "898604b70123456789",
        "898604B70123456789FF",
        "8900101000000000017F",
        "A0000005591010FFFFFFFF8900001100",
    ],
)
def test_the_pattern_of_a_profile_s_name(name: str) -> None:
    """The document allows each ICCID that a card can contain, and AIDs, as the daemon does."""
    assert profile_target(name) is not None
    assert re.fullmatch(_pattern(), name)


def test_every_schema_is_described() -> None:
    """Each description is a docstring without the indentation of the source, with any version of msgspec."""
    schemas = document(ROUTES)["components"]["schemas"]
    told = {name: each["description"] for name, each in schemas.items() if "description" in each}
    assert len(told) > len(schemas) / 2
    assert {name: text for name, text in told.items() if not text or "\n " in text} == {}


@pytest.mark.parametrize("name", ["", "89F1", "FFFF", "89/44", "8" * 21, "8" * 34, "G"])
def test_invalid_profile_names_are_refused(name: str) -> None:
    """Both the document and the daemon refuse these texts as the name of a profile."""
    with pytest.raises(InvalidValue):
        profile_target(name)
    assert not re.fullmatch(_pattern(), name)


def _pattern() -> str:
    operation = document(ROUTES)["paths"]["/v1/euiccs/{name}/profiles/{iccid}/enable"]["post"]
    (parameter,) = [each for each in operation["parameters"] if each["name"] == "iccid"]
    return str(parameter["schema"]["pattern"])
