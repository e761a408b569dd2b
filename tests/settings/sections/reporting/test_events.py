"""The setting `events.device`, which is the source of CloudEvents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path


def read(folder: Path, text: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path)


@pytest.mark.parametrize("name", ["gateway-17", "urn:example:gw:17", "https://example.com/gw/17", "a"])
def test_names_that_can_be_a_source(tmp_path: Path, name: str) -> None:
    """A device name may be a simple name, a URN or a URL."""
    assert read(tmp_path, f"events: {{device: '{name}'}}").settings.events.device == name


@pytest.mark.parametrize("name", ["", "gate way", "-x", "gäteway", "a" * 129, "{{name}}"])
def test_names_that_cannot(tmp_path: Path, name: str) -> None:
    """The error for an invalid name gives the line of the settings file."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, f"events:\n  device: '{name}'\n")
    assert "2" in str(caught.value)
