"""The settings for the sources from which lpad gets a profile without a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

DESK = {"my_desk": {"like": "desk", "base": "https://desk.example.com"}}


def read(folder: Path, **settings: Any) -> SettingsFile:
    """Read a settings file with a desk and the given sections."""
    path = folder / "lpad.yaml"
    path.write_text(json.dumps({"platforms": DESK, **settings}))
    return SettingsFile.read(path)


def test_sources_in_order(tmp_path: Path) -> None:
    """A card has the sources of `on_empty` in this order; with `provision: never` it has none."""
    cards = {"modem": {"port": "/dev/ttyUSB2"}, "other": {"port": "/dev/ttyUSB3", "provision": "never"}}
    file = read(tmp_path, provisioning={"on_empty": ["my_desk", "default-smdp"]}, euiccs=cards)
    found = {name: file.settings.sources(card) for name, card in file.settings.euiccs.items()}
    assert found == {"modem": ("my_desk", "default-smdp"), "other": ()}


def test_the_older_form_means_the_default_smdp(tmp_path: Path) -> None:
    """`provision: on_empty` without sources means the default SM-DP+."""
    file = read(tmp_path, provision="on_empty", euiccs={"modem": {"port": "/dev/ttyUSB2"}})
    assert file.settings.sources(file.settings.euiccs["modem"]) == ("default-smdp",)


@pytest.mark.parametrize(
    ("provisioning", "told"),
    [
        ({"on_empty": ["discovery"]}, "needs 'discovery.install: ask' or 'discovery.install: allowed'"),
        (
            {"on_empty": ["other"]},
            "'other' is neither default-smdp, discovery nor a platform; 'platforms' names my_desk",
        ),
        ({"on_failover": "default-smdp"}, "'default-smdp' is not a platform; 'platforms' names my_desk"),
        ({"until": ["sometimes"]}, "sometimes"),
        ({"most_orders": 0}, "most_orders"),
    ],
)
def test_impossible_sources_are_refused_with_their_place(
    tmp_path: Path, provisioning: dict[str, Any], told: str
) -> None:
    """An unknown source, platform or condition is refused with its key."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, provisioning=provisioning)
    assert told in caught.value.sentence
    assert "provisioning." in caught.value.sentence


@pytest.mark.parametrize("base", ["http://desk", "https://", "https://[x", "https://a\u2100b", "desk"])
def test_an_invalid_platform_address_is_reported(tmp_path: Path, base: str) -> None:
    """A platform's invalid base address is refused."""
    with pytest.raises(InvalidSettings, match="must begin with https"):
        read(tmp_path, platforms={"mine": {"like": "desk", "base": base}})
