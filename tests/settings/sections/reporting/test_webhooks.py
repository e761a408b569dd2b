"""The setting `webhooks`: valid endpoints, and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "url: https://hooks.example.com/lpad, keys: [key]"


def read(folder: Path, name: str, section: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(f"webhooks:\n  {name}:\n    {{{section}}}\n", encoding="utf-8")
    return SettingsFile.read(path)


@pytest.mark.parametrize(
    "section",
    [
        GOOD,
        f"{GOOD}, types: [org.lpad.profile.*], identifiers: redacted, mode: binary, ca_files: [ca.pem]",
        "url: http://127.0.0.1:8080/x, keys: [one, two]",
    ],
)
def test_valid_endpoints_are_accepted(tmp_path: Path, section: str) -> None:
    """An endpoint with https, or with http on this device, and one or more keys is accepted."""
    assert list(read(tmp_path, "backend", section).settings.webhooks) == ["backend"]


@pytest.mark.parametrize(
    ("name", "section", "told"),
    [
        ("Back End", GOOD, "lower-case"),
        ("backend", "url: http://hooks.example.com/, keys: [key]", "https"),
        ("backend", "url: https://user@hooks.example.com/, keys: [key]", "user"),
        ("backend", "url: https://hooks.example.com/, keys: []", "keys"),
        ("backend", "url: https://hooks.example.com/", "keys"),
        ("backend", "keys: [key]", "https"),
        ("backend", f"{GOOD}, types: [org.lpad.profil.*]", "org.lpad.profil.*"),
        ("backend", f"{GOOD}, identifiers: hashed", "identifiers"),
        ("backend", f"{GOOD}, mode: batched", "mode"),
        ("backend", f"{GOOD}, secret: whsec_AAAA", "secret"),
    ],
)
def test_mistakes_are_reported_with_their_line(tmp_path: Path, name: str, section: str, told: str) -> None:
    """A mistake in an endpoint is reported with the key or the value."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, name, section)
    assert told in str(caught.value)
