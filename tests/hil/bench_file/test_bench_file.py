"""The bench file: reading it reports all of its mistakes, and finds the features of its places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hil.bench_file.bench_file import BenchFile
from lpad.base.errors import InvalidSettings

EXAMPLE = Path(__file__).parents[3] / "hil" / "benches" / "example.yaml"
EID = "89049032000000000000000000000066"
RIGHT: dict[str, Any] = {"eid": EID, "port": "/dev/ttyUSB2"}


def read(tmp_path: Path, **places: dict[str, Any]) -> BenchFile:
    path = tmp_path / "bench.yaml"
    path.write_text(yaml.safe_dump({"places": places}))
    return BenchFile.read(path)


def test_the_example_is_right() -> None:
    """The example of a bench file is valid, and its places have the features that it gives them."""
    file = BenchFile.read(EXAMPLE)
    assert file.features("desk-reader") >= {"reader", "pcsc"}
    assert "power" in file.features("quectel")


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (RIGHT | {"port": None}, "either a port or a reader"),
        (RIGHT | {"reader": "x"}, "either a port or a reader"),
        (RIGHT | {"features": ["cgla", "cgal"]}, "no feature 'cgal'"),
        (RIGHT | {"expendable": ["12x"]}, "ICCID"),
        (RIGHT | {"eid": EID[:-1]}, "EID"),
        (RIGHT | {"power": {}}, "one of uhubctl, sysfs and command"),
        (RIGHT | {"power": {"uhubctl": "1-1"}}, "HUB:PORT"),
        (RIGHT | {"power": {"command": ["relay", "on"]}}, "{state}"),
        (RIGHT | {"colour": "red"}, "colour"),
    ],
)
def test_each_mistake_is_reported_by_name(tmp_path: Path, section: dict[str, Any], told: str) -> None:
    """The error for a mistake in a bench file names the mistake, such as a misspelt feature."""
    with pytest.raises(InvalidSettings, match=told):
        read(tmp_path, place=section)


def test_all_mistakes_are_reported_together(tmp_path: Path) -> None:
    """One error reports all mistakes in a bench file, such as two places that name the same card."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, UPPER=RIGHT, other=RIGHT | {"features": ["x"]})
    assert len(caught.value.sentence.splitlines()) == 3


def test_derived_features_need_not_be_listed(tmp_path: Path) -> None:
    """A feature that follows from another one need not be listed in the bench file."""
    file = read(tmp_path, a=RIGHT | {"codes": "codes.yaml", "power": {"sysfs": "1-1.4"}})
    assert file.features("a") == {"modem", "codes", "power"}
