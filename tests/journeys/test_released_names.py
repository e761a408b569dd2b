"""Settings keys, options, paths, fields of answers and metrics of earlier releases still exist.

docs/compatibility.md promises this. Request bodies, labels and error kinds are not tested.

`journeys/released/make.py` records the names of an installed release in `journeys/released/VERSION/`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from journeys.gateway import Gateway
from journeys.released.make import api
from journeys.released.names import api_names, program_names

RELEASES = sorted(path.parent for path in Path(__file__).parent.glob("released/*/names.json"))


@pytest.fixture(params=RELEASES, ids=lambda folder: folder.name)
def released(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The recorded names of a release."""
    return dict(json.loads((request.param / "names.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def daemon_names() -> dict[str, Any]:
    """The names in the OpenAPI document and the metrics of the present daemon."""
    with Gateway() as gateway, api(gateway) as client:
        return api_names(client.get("/v1/openapi.json").json(), client.get("/v1/metrics").text)


@pytest.mark.parametrize("kind", ["settings", "options"])
def test_settings_and_options_remain(released: dict[str, Any], kind: str) -> None:
    """Each settings key, command and option of a release still exists."""
    assert len(released[kind]) > 50
    assert set(released[kind]) <= set(program_names()[kind])


def test_metrics_remain(released: dict[str, Any], daemon_names: dict[str, Any]) -> None:
    """Each metric of a release still exists."""
    assert len(released["metrics"]) > 10
    assert set(released["metrics"]) <= set(daemon_names["metrics"])


def test_paths_and_fields_remain(released: dict[str, Any], daemon_names: dict[str, Any]) -> None:
    """Each method of each path of a release still exists, and its answers have all earlier fields."""
    operations = daemon_names["operations"]
    assert any(len(answer["fields"]) > 10 for answer in released["answers"])
    for answer in released["answers"]:
        for operation in answer["to"]:
            assert operation in operations
            assert set(answer["fields"]) <= set(operations[operation]), operation
