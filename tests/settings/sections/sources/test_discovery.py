"""The setting `discovery`: defaults, periods, sources and mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

NAMED = {"servers": ["*.operator.example"]}
CARD = {"port": "/dev/ttyUSB2"}


def read(folder: Path, **settings: Any) -> SettingsFile:
    """Read a settings file with the given sections."""
    path = folder / "lpad.yaml"
    path.write_text(json.dumps({"euiccs": {"modem": CARD}, **settings}))
    return SettingsFile.read(path)


def sources(file: SettingsFile) -> tuple[str, ...]:
    return file.settings.sources(file.settings.euiccs["modem"])


def test_discovery_is_off_by_default(tmp_path: Path) -> None:
    """By default, SM-DSs are queried only on request."""
    file = read(tmp_path)
    assert (file.settings.discovery.every, file.settings.discovery.install) == (None, "never")
    assert sources(file) == ()


@pytest.mark.parametrize(
    ("section", "every"),
    [
        ({"when": "never"}, None),
        ({"when": "daily", "interval": 21_600}, 86_400),
        ({"when": "interval", "interval": 21_600}, 21_600),
        ({"when": "on_empty", "install": "ask"}, None),
    ],
)
def test_only_daily_and_interval_have_a_period(
    tmp_path: Path, section: dict[str, Any], every: float | None
) -> None:
    """Discovery has a period only with `when: daily` or `when: interval`."""
    assert read(tmp_path, discovery=section).settings.discovery.every == every


def test_on_empty_is_a_source(tmp_path: Path) -> None:
    """With `when: on_empty`, discovery is the last source, unless `provisioning.on_empty` orders them."""
    discovery = {"when": "on_empty", "install": "ask"}
    assert sources(read(tmp_path, discovery=discovery)) == ("discovery",)
    assert sources(read(tmp_path, discovery=discovery, provision="on_empty")) == ("default-smdp", "discovery")
    own = {"on_empty": ["discovery", "default-smdp"]}
    assert sources(read(tmp_path, discovery=discovery, provisioning=own)) == ("discovery", "default-smdp")


@pytest.mark.parametrize(
    ("discovery", "told"),
    [
        ({"when": "hourly"}, "discovery.when"),
        ({"when": "interval", "interval": 3600}, "discovery.interval"),
        ({"servers": ["https://lpa.ds.gsma.com/"]}, "without a scheme"),
        ({"install": "allowed"}, "'policy.servers' must name the operators' servers"),
        ({"when": "on_empty"}, "needs 'install: ask' or 'install: allowed'"),
        ({"jitter": -1}, "discovery.jitter"),
    ],
)
def test_each_mistake_is_refused_with_its_place(tmp_path: Path, discovery: dict[str, Any], told: str) -> None:
    """A mistake in `discovery` is refused with its key or the reason."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, discovery=discovery)
    assert told in caught.value.sentence


def test_allowed_needs_named_servers(tmp_path: Path) -> None:
    """`install: allowed` needs named servers in the general policy and in each card's policy."""
    file = read(tmp_path, discovery={"install": "allowed"}, policy=NAMED)
    assert file.settings.discovery.install == "allowed"
    cards = {"modem": {**CARD, "policy": {"servers": ["*"]}}}
    with pytest.raises(InvalidSettings, match=r"policy\.servers"):
        read(tmp_path, discovery={"install": "allowed"}, policy=NAMED, euiccs=cards)
