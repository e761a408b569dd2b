"""The alerts and the dashboard in package/monitoring query only metrics that lpad has."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from api.gateway import Gateway
from engine.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.pki.pki import Pki

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "package" / "monitoring"
PARTS = ("_bucket", "_sum", "_count")
"""The suffixes of a histogram's samples."""


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load((FOLDER / "lpad-rules.yml").read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def expressions() -> Iterator[str]:
    """Yield each query to Prometheus."""
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads((FOLDER / "lpad-dashboard.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])


def labels() -> dict[str, set[str]]:
    """Return the labels of each metric, as docs/metrics.md lists them."""
    table = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(lpad_\w+)` \| \w+ \| ([^|]*)\|", table, re.MULTILINE)
    return {name: set(re.findall(r"`(\w+)`", told)) for name, told in rows}


def base(name: str) -> str:
    return next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)


def test_each_metric_exists(tmp_path: Path, pki: Pki) -> None:
    """A running daemon has each metric that an alert or a panel uses."""
    with Lab(tmp_path, pki) as lab, Gateway(lab) as gateway:
        told = gateway.http.get("/v1/metrics").text
    existing = set(re.findall(r"^# TYPE (lpad_\w+) ", told, re.MULTILINE))
    asked = {base(name) for each in expressions() for name in re.findall(r"\blpad_\w+", each)}
    assert len(asked) > 15
    assert asked <= existing


@pytest.mark.parametrize("expression", list(expressions()))
def test_each_label_exists(expression: str) -> None:
    """A query uses only labels that its metrics have."""
    known = labels()
    names = [base(name) for name in re.findall(r"\blpad_\w+", expression)]
    assert names
    for name, selector in re.findall(r"\b(lpad_\w+){([^}]*)}", expression):
        assert set(re.findall(r"(\w+)\s*[!=]", selector)) <= known[base(name)]
    grouped = {label for each in re.findall(r"by \(([^)]*)\)", expression) for label in each.split(", ")}
    assert grouped <= {"le"}.union(*(known[name] for name in names))


def test_each_alert_says_what_to_do() -> None:
    """Each alert has a severity, a summary with labels of its metric only, and a remedy."""
    known = labels()
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        texts = rule["annotations"]
        assert texts["summary"]
        assert texts["remedy"]
        (metric,) = re.findall(r"\blpad_\w+", rule["expr"])
        used = set(re.findall(r"\$labels\.(\w+)", texts["summary"]))
        assert used <= known[metric], rule["alert"]


def test_the_alerts_are_those_of_the_documentation() -> None:
    """Each metric for which docs/metrics.md advises an alarm has a rule."""
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8").partition("Raise an alarm")[2]
    advised = set(re.findall(r"\blpad_\w+", text))
    assert advised <= {name for rule in rules() for name in re.findall(r"\blpad_\w+", rule["expr"])}
